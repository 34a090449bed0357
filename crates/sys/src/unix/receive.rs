//! Receiving from a Unix stream socket.

use crate::Piece;
use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;

/// Receives into `room`. The kernel stops behind a descriptor that the peer passed, and says so. It closes the
/// descriptor, because there is no room for it.
#[cfg(linux_like)]
pub(crate) fn receive_piece(socket: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<Piece> {
    use std::os::fd::AsRawFd;

    let mut vector = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    // SAFETY: all fields are numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    // SAFETY: the descriptor is open as long as `socket` is borrowed. The kernel writes to `message`, and at most
    // `room.len()` bytes to `room`; both outlive the call.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    Ok(Piece { count, is_cut: message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// Receives into `room`. These systems stop behind a descriptor, too, and do not say so.
#[cfg(not(linux_like))]
pub(crate) fn receive_piece(socket: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<Piece> {
    Ok(Piece { count: socket.recv(room)?, is_cut: true })
}
