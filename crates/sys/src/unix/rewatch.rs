//! Watching a registered datagram socket for something else.

use mio::event::Source;
use mio::net::UdpSocket;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::AsRawFd;

/// Watches a registered socket for something else, while others may hold the socket, too. To be called only if
/// [`SHORT_MEANS_DRAINED`](crate::SHORT_MEANS_DRAINED): elsewhere mio keeps what it knows of the registration in the socket.
///
/// # Errors
/// Those of `epoll_ctl(2)` or `kevent(2)`.
pub fn rewatch(
    registry: &Registry,
    socket: &UdpSocket,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    SourceFd(&socket.as_raw_fd()).reregister(registry, token, interest)
}
