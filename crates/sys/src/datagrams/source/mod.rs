//! IPv6 multicasts of one source, which socket2 does not have (it has those of IPv4).

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

/// Whether this platform takes the multicasts of one source over IPv6.
pub const HAS_SOURCES_V6: bool = platform::HAS_SOURCES;

/// What one source sends to a group, on an interface, by its index, or 0 for the system's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceGroup {
    /// The group.
    pub group: Ipv6Addr,
    /// The interface.
    pub interface: u32,
    /// Who sends.
    pub source: Ipv6Addr,
}

impl SourceGroup {
    /// Receives it.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; [`io::ErrorKind::Unsupported`] where the platform lacks it.
    pub fn join(&self, socket: &Socket) -> io::Result<()> {
        platform::join(socket, self)
    }

    /// Receives it no more.
    ///
    /// # Errors
    /// As of [`join`](Self::join).
    pub fn leave(&self, socket: &Socket) -> io::Result<()> {
        platform::leave(socket, self)
    }
}

/// An address as the system's structures have it, in all the bytes that an address may take.
#[cfg(any(windows, known_unix))]
fn storage(ip: Ipv6Addr) -> socket2::SockAddrStorage {
    socket2::SockAddr::from(std::net::SocketAddrV6::new(ip, 0, 0, 0)).as_storage()
}
