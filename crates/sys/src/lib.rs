//! What operating systems do differently, as safe functions. Unsafe code is here and in `millrace-ring`,
//! and nowhere else but in the Node-API calls of the binding.
//!
//! There is one folder for each platform, with the same functions and types.

pub mod datagrams;
mod option;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub use option::{OPTIONS_ARE_INHERITED, SocketOption};
pub use platform::{
    BoundPath, Claim, Duplicate, PORTS_ARE_SHARED, UnixListener, UnixStream, accept_error,
    accept_unix, adopt_listener, bind_to_device, choose_port_late, error_name, ignore_closed_ports,
    interface_index, is_begun, is_out_of_buffers, listen_on_path, listener_name, local_name,
    peer_name, poll_descriptor, prepare_datagrams, prepare_listener, refused, rewatch, share_port,
    stream_socket, unacknowledged, unix_address, unix_listener, unix_stream, unread,
};

use bytes::BytesMut;
use mio::Interest;
use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;

/// Whether a read or write that is shorter than asked for means that the next one would block, so that it
/// need not be tried. True with epoll and kqueue, which are edge-triggered. Elsewhere, and with mio's
/// forced `poll(2)` back end (which stands in for Windows in the tests), mio arms a socket again only after
/// it has seen `WouldBlock`, so reading has to go on until then.
///
/// There are two exceptions: [`Piece::is_cut`] tells of the one, and [`READING`] watches for the other, TCP's urgent
/// mark. Only epoll has an event for that. With kqueue, the bytes behind the mark wait for that peer's next byte.
pub const SHORT_MEANS_DRAINED: bool = cfg!(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "ios",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ),
    not(mio_unsupported_force_poll_poll)
));

/// What a socket is watched for in order to read it. With epoll that includes urgent data, because reading stops at
/// its mark, though the kernel has more.
#[cfg(all(linux_like, not(mio_unsupported_force_poll_poll)))]
pub const READING: Interest = Interest::READABLE.add(Interest::PRIORITY);
/// What a socket is watched for in order to read it.
#[cfg(not(all(linux_like, not(mio_unsupported_force_poll_poll))))]
pub const READING: Interest = Interest::READABLE;

/// Whether closing a socket takes it off a poll, so that it need not be deregistered before. True with epoll
/// and kqueue, as long as nobody has a duplicate of the descriptor.
pub const CLOSING_DEREGISTERS: bool = SHORT_MEANS_DRAINED;

/// Whether a poll's descriptor stops being readable once the socket that had the event was read. True with
/// epoll, which looks again; kqueue does not.
pub const READING_TAKES_BACK_EVENTS: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
));

/// What to do after accepting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptError {
    /// Try the next connection: only this one is gone.
    Next,
    /// Wait: descriptors or memory ran out, so trying at once is pointless.
    BackOff,
}

/// Receives at most `limit` bytes after what `into` holds, without zeroing the room first. To be called
/// inside mio's `try_io`, which then arms the socket again.
///
/// # Errors
/// Those of `recv(2)`.
pub fn receive(socket: &Socket, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
    receive_by(into, limit, |room| socket.recv(room))
}

/// Does the same, and leaves the bytes in the kernel, to be received again.
///
/// # Errors
/// Those of `recv(2)`.
pub fn peek(socket: &Socket, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
    receive_by(into, limit, |room| socket.peek(room))
}

/// What one read of a stream socket returned.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// How many bytes.
    pub count: usize,
    /// The kernel may hold more, even if these are fewer than were asked for.
    pub is_cut: bool,
}

impl Piece {
    /// All that the kernel had, or as much as was asked for.
    #[must_use]
    pub fn whole(count: usize) -> Self {
        Self { count, is_cut: false }
    }
}

/// Receives from a Unix socket as [`receive`] does.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn receive_unix(socket: &Socket, into: &mut BytesMut, limit: usize) -> io::Result<Piece> {
    let mut is_cut = false;
    let count = receive_by(into, limit, |room| {
        let piece = platform::receive_piece(socket, room)?;
        is_cut = piece.is_cut;
        Ok(piece.count)
    })?;
    Ok(Piece { count, is_cut })
}

/// Receives from a Unix socket into memory of a fixed size.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn read_unix(socket: &Socket, into: &mut [u8]) -> io::Result<Piece> {
    // SAFETY: both types have the same layout, and nothing but bytes is written there.
    let room = unsafe { &mut *(std::ptr::from_mut(into) as *mut [MaybeUninit<u8>]) };
    platform::receive_piece(socket, room)
}

/// Receives by a call that initialises as many bytes of its room as it returns.
fn receive_by(
    into: &mut BytesMut,
    limit: usize,
    call: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<usize>,
) -> io::Result<usize> {
    into.reserve(limit);
    let room = &mut into.spare_capacity_mut()[..limit];
    let received = call(room)?;
    let length = into.len() + received;
    // SAFETY: recv(2) or recvmsg(2), which all callers call, initialised the first `received` bytes of the spare capacity.
    unsafe { into.set_len(length) };
    Ok(received)
}
