//! Socket options with a number as value that socket2 does not have.

use socket2::Socket;
use std::io;
use std::os::windows::io::AsRawSocket;
use windows_sys::Win32::Networking::WinSock as winsock;

/// Sets an option.
pub(crate) fn set_number(socket: &Socket, level: i32, name: i32, value: u32) -> io::Result<()> {
    // SAFETY: the socket is open while borrowed, and the value is one u32 that outlives the call.
    let result = unsafe {
        winsock::setsockopt(
            socket.as_raw_socket() as winsock::SOCKET,
            level,
            name,
            (&raw const value).cast(),
            size_of::<u32>() as i32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option.
pub(crate) fn number(socket: &Socket, level: i32, name: i32) -> io::Result<u32> {
    let mut value: u32 = 0;
    let mut length = size_of::<u32>() as i32;
    // SAFETY: the socket is open while borrowed, and at most `length` bytes, one u32, are written.
    let result = unsafe {
        winsock::getsockopt(
            socket.as_raw_socket() as winsock::SOCKET,
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
