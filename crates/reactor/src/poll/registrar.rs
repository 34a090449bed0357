//! Adding sockets to a poll and removing them.

use super::Key;
use std::io;

/// What a socket is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadAndWrite,
}

/// Registers sockets with one poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registrar<'a>(&'a mio::Registry);

impl<'a> Registrar<'a> {
    /// Whether [`rewatch`](Self::rewatch) works. Elsewhere a socket has no event before it has blocked, so that
    /// watching for too much costs nothing.
    pub(crate) const WATCHES_CHANGE: bool = millrace_sys::SHORT_MEANS_DRAINED;

    pub(super) fn new(registry: &'a mio::Registry) -> Self {
        Self(registry)
    }

    /// Watches a socket; its events carry `key`.
    pub(crate) fn register(
        self,
        source: &mut impl mio::event::Source,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.register(source, key.token(), interest.into())
    }

    /// Watches a registered socket under another key or for something else. What is ready already is
    /// reported again.
    pub(crate) fn reregister(
        self,
        source: &mut impl mio::event::Source,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.reregister(source, key.token(), interest.into())
    }

    /// Watches a datagram socket that others may hold, too, for something else. What is ready already is reported
    /// again. Only where [`WATCHES_CHANGE`](Self::WATCHES_CHANGE).
    pub(crate) fn rewatch(
        self,
        socket: &mio::net::UdpSocket,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        millrace_sys::rewatch(self.0, socket, key.token(), interest.into())
    }

    /// Stops watching a socket that is closed right after. An error changes nothing: closing takes a
    /// socket out of an epoll set by itself.
    pub(crate) fn deregister(self, source: &mut impl mio::event::Source) {
        let _ = self.0.deregister(source);
    }
}

impl From<Interest> for mio::Interest {
    fn from(interest: Interest) -> Self {
        match interest {
            Interest::Read => millrace_sys::READING,
            Interest::ReadAndWrite => millrace_sys::READING | Self::WRITABLE,
        }
    }
}
