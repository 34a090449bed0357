//! Options that only Linux has.

use super::SocketOption;
use crate::unix::{number, set_number};
use socket2::Socket;
use std::io;
use std::time::Duration;

pub(super) fn set(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    match option {
        SocketOption::UserTimeout => {
            socket.set_tcp_user_timeout(Some(Duration::from_millis(value.into())))
        }
        SocketOption::QuickAck => socket.set_tcp_quickack(value != 0),
        _ => set_number(socket, libc::IPPROTO_TCP, name(option)?, value as libc::c_int),
    }
}

pub(super) fn get(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    match option {
        SocketOption::UserTimeout => {
            let timeout = socket.tcp_user_timeout()?;
            Ok(timeout.map_or(0, |timeout| timeout.as_millis() as u32))
        }
        SocketOption::QuickAck => socket.tcp_quickack().map(u32::from),
        _ => number(socket, libc::IPPROTO_TCP, name(option)?).map(|value| value as u32),
    }
}

/// The system's name of an option that socket2 does not have.
fn name(option: SocketOption) -> io::Result<libc::c_int> {
    match option {
        SocketOption::FastOpen => Ok(libc::TCP_FASTOPEN),
        SocketOption::DeferAccept => Ok(libc::TCP_DEFER_ACCEPT),
        SocketOption::FastOpenConnect => Ok(libc::TCP_FASTOPEN_CONNECT),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}
