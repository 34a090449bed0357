//! What the operating systems do differently, as safe functions: with `millrace-ring` the only
//! place of unsafe code outside the Node-API calls of the binding.
//!
//! One folder per platform; each has the same functions and types.

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
    accept_unix, adopt_listener, bind_to_device, choose_port_late, error_name, interface_index,
    is_begun, listen_on_path, listener_name, local_name, peer_name, poll_descriptor,
    prepare_datagrams, prepare_listener, share_port, stream_socket, unix_address, unix_listener,
    unix_stream, unread,
};

use bytes::BytesMut;
use socket2::Socket;
use std::io;

/// True where a read or write shorter than asked for means that the next would block, so that it
/// need not be tried: with the edge-triggered epoll and kqueue. Elsewhere (and under mio's forced
/// `poll(2)` back end, which stands in for Windows in the tests) mio re-arms a socket only after it
/// has seen `WouldBlock`, so it has to be sought.
///
/// It is a bet that a peer can lose only against itself: TCP urgent data can give a short read with
/// bytes left, which then wait for that peer's next byte.
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

/// True where closing a socket is enough for the kernel to forget what was watched of it, so that it
/// need not be told before: with epoll and kqueue, as long as nobody has a duplicate of the descriptor.
pub const CLOSING_DEREGISTERS: bool = SHORT_MEANS_DRAINED;

/// True where a socket that is read from is no event any more for who watches the descriptor of the poll
/// that watches it: epoll looks again, kqueue does not.
pub const READING_TAKES_BACK_EVENTS: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
));

/// What to do after accepting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptError {
    /// That one connection is gone; the next may be there.
    Next,
    /// Descriptors or memory ran out: there is no point in trying at once.
    BackOff,
}

/// Receives at most `limit` bytes behind what `into` holds, without zeroing the room first. To be
/// called inside mio's `try_io`, which then arms the socket again.
///
/// # Errors
/// Those of `recv(2)`.
pub fn receive(socket: &Socket, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
    into.reserve(limit);
    let room = &mut into.spare_capacity_mut()[..limit];
    let received = socket.recv(room)?;
    let length = into.len() + received;
    // SAFETY: recv(2) initialised the first `received` bytes of the spare capacity.
    unsafe { into.set_len(length) };
    Ok(received)
}
