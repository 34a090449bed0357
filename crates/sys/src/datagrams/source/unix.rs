//! Linux, macOS and FreeBSD.

use super::{SourceGroup, storage};
use socket2::Socket;
use std::io;
use std::os::fd::AsRawFd;

pub(super) const HAS_SOURCES: bool = true;

pub(super) fn join(socket: &Socket, group: &SourceGroup) -> io::Result<()> {
    set(socket, libc::MCAST_JOIN_SOURCE_GROUP, group)
}

pub(super) fn leave(socket: &Socket, group: &SourceGroup) -> io::Result<()> {
    set(socket, libc::MCAST_LEAVE_SOURCE_GROUP, group)
}

fn set(socket: &Socket, name: libc::c_int, of: &SourceGroup) -> io::Result<()> {
    let (mut group, mut source) = (storage(of.group), storage(of.source));
    // SAFETY: all zeros is a value of this plain C struct.
    let mut request: libc::group_source_req = unsafe { std::mem::zeroed() };
    request.gsr_interface = of.interface;
    // SAFETY: socket2 keeps an address in exactly this struct.
    request.gsr_group = unsafe { *group.view_as() };
    // SAFETY: likewise.
    request.gsr_source = unsafe { *source.view_as() };
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the value is one struct that
    // outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            name,
            (&raw const request).cast(),
            size_of::<libc::group_source_req>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
