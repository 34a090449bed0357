//! Windows.

use super::{SourceGroup, storage};
use socket2::Socket;
use std::io;
use std::os::windows::io::AsRawSocket;
use windows_sys::Win32::Networking::WinSock as winsock;

pub(super) const HAS_SOURCES: bool = true;

pub(super) fn join(socket: &Socket, group: &SourceGroup) -> io::Result<()> {
    set(socket, winsock::MCAST_JOIN_SOURCE_GROUP, group)
}

pub(super) fn leave(socket: &Socket, group: &SourceGroup) -> io::Result<()> {
    set(socket, winsock::MCAST_LEAVE_SOURCE_GROUP, group)
}

fn set(socket: &Socket, name: u32, of: &SourceGroup) -> io::Result<()> {
    let (mut group, mut source) = (storage(of.group), storage(of.source));
    let request = winsock::GROUP_SOURCE_REQ {
        gsr_interface: of.interface,
        // SAFETY: socket2 keeps an address in a struct with the layout of this one.
        gsr_group: unsafe { *group.view_as() },
        // SAFETY: likewise.
        gsr_source: unsafe { *source.view_as() },
    };
    // SAFETY: the socket is open while borrowed, and the value is one struct that outlives the call.
    let result = unsafe {
        winsock::setsockopt(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::IPPROTO_IPV6,
            name as i32,
            (&raw const request).cast(),
            size_of::<winsock::GROUP_SOURCE_REQ>() as i32,
        )
    };
    // The standard library asks WSAGetLastError.
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
