//! Receiving an IPv6 multicast group from one source, which socket2 supports for IPv4 only.

#[cfg(not(any(windows, known_unix)))]
mod elsewhere;
#[cfg(known_unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(windows, known_unix)))]
use elsewhere as platform;
#[cfg(known_unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use socket2::Socket;
use std::io;
use std::net::Ipv6Addr;

/// Whether this platform can join an IPv6 group for one source.
pub const HAS_SOURCES_V6: bool = platform::HAS_SOURCES;

/// A group, the interface to receive on (its index, or 0 for the system's choice), and the only sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceGroup {
    /// The group.
    pub group: Ipv6Addr,
    /// The interface.
    pub interface: u32,
    /// The sender.
    pub source: Ipv6Addr,
}

impl SourceGroup {
    /// Starts receiving what the source sends to the group.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; [`io::ErrorKind::Unsupported`] if the platform cannot do this.
    pub fn join(&self, socket: &Socket) -> io::Result<()> {
        platform::join(socket, self)
    }

    /// Stops receiving it.
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn leave(&self, socket: &Socket) -> io::Result<()> {
        platform::leave(socket, self)
    }
}

/// Converts an address into the system's structure that has room for every kind of address.
#[cfg(any(windows, known_unix))]
fn storage(ip: Ipv6Addr) -> socket2::SockAddrStorage {
    socket2::SockAddr::from(std::net::SocketAddrV6::new(ip, 0, 0, 0)).as_storage()
}
