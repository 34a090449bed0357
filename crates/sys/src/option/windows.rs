//! Windows.

use super::SocketOption;
use socket2::Socket;
use std::io;
use std::os::windows::io::AsRawSocket;
use std::time::Duration;
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
    use SocketOption as O;
    match option {
        O::NoDelay => socket.set_tcp_nodelay(value != 0),
        O::KeepAlive => socket.set_keepalive(value != 0),
        O::Reset => socket.set_linger((value != 0).then_some(Duration::ZERO)),
        O::ReceiveBuffer => socket.set_recv_buffer_size(value as usize),
        O::SendBuffer => socket.set_send_buffer_size(value as usize),
        _ => set_number(socket, name(option)?, value),
    }
}

pub(super) fn get(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    use SocketOption as O;
    match option {
        O::NoDelay => socket.tcp_nodelay().map(u32::from),
        O::KeepAlive => socket.keepalive().map(u32::from),
        O::Reset => socket.linger().map(|linger| u32::from(linger == Some(Duration::ZERO))),
        O::ReceiveBuffer => socket.recv_buffer_size().map(|bytes| bytes as u32),
        O::SendBuffer => socket.send_buffer_size().map(|bytes| bytes as u32),
        _ => number(socket, name(option)?),
    }
}

/// The system's name of what socket2 sets only together with others.
fn name(option: SocketOption) -> io::Result<i32> {
    match option {
        SocketOption::KeepIdle => Ok(winsock::TCP_KEEPIDLE),
        SocketOption::KeepInterval => Ok(winsock::TCP_KEEPINTVL),
        SocketOption::KeepCount => Ok(winsock::TCP_KEEPCNT),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn set_number(socket: &Socket, name: i32, value: u32) -> io::Result<()> {
    // SAFETY: the socket is open while borrowed, and the value is one u32 that outlives the call.
    let result = unsafe {
        winsock::setsockopt(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size_of::<u32>() as i32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(socket: &Socket, name: i32) -> io::Result<u32> {
    let mut value: u32 = 0;
    let mut length = size_of::<u32>() as i32;
    // SAFETY: the socket is open while borrowed, and at most `length` bytes, one u32, are written.
    let result = unsafe {
        winsock::getsockopt(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::IPPROTO_TCP,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
