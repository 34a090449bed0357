//! Windows.

use super::SocketOption;
use crate::windows::{number, set_number};
use socket2::Socket;
use std::io;
use windows_sys::Win32::Networking::WinSock as winsock;

pub(super) fn is_supported(option: SocketOption) -> bool {
    use SocketOption as O;
    match option {
        O::NoDelay
        | O::KeepAlive
        | O::KeepIdle
        | O::KeepInterval
        | O::KeepCount
        | O::Reset
        | O::ReceiveBuffer
        | O::SendBuffer => true,
        O::UserTimeout
        | O::QuickAck
        | O::Dscp
        | O::FastOpen
        | O::DeferAccept
        | O::FastOpenConnect => false,
    }
}

pub(super) fn set(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    set_number(socket, winsock::IPPROTO_TCP, name(option)?, value)
}

pub(super) fn get(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    number(socket, winsock::IPPROTO_TCP, name(option)?)
}

/// The system's name of an option that socket2 sets only together with others.
fn name(option: SocketOption) -> io::Result<i32> {
    match option {
        SocketOption::KeepIdle => Ok(winsock::TCP_KEEPIDLE),
        SocketOption::KeepInterval => Ok(winsock::TCP_KEEPINTVL),
        SocketOption::KeepCount => Ok(winsock::TCP_KEEPCNT),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}
