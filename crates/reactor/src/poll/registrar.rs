//! Adding sockets to a poll and removing them.

use super::Key;
use std::io;

/// What a socket is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadAndWrite,
}

/// The error of a refused socket: `ENOSPC` on Unix.
#[cfg(test)]
pub(crate) const NO_ROOM: i32 = 28;

/// Registers sockets with one poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registrar<'a> {
    registry: &'a mio::Registry,
    #[cfg(test)]
    refusals: &'a std::cell::Cell<u32>,
}

impl<'a> Registrar<'a> {
    /// Whether [`rewatch`](Self::rewatch) works. Elsewhere a socket has no event before it has blocked, so that
    /// watching for too much costs nothing.
    pub(crate) const WATCHES_CHANGE: bool = millrace_sys::SHORT_MEANS_DRAINED;

    pub(super) fn new(
        registry: &'a mio::Registry,
        #[cfg(test)] refusals: &'a std::cell::Cell<u32>,
    ) -> Self {
        Self {
            registry,
            #[cfg(test)]
            refusals,
        }
    }

    /// Watches a socket; its events carry `key`.
    pub(crate) fn register(
        self,
        source: &mut impl mio::event::Source,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        #[cfg(test)]
        if let Some(left) = self.refusals.get().checked_sub(1) {
            self.refusals.set(left);
            return Err(io::Error::from_raw_os_error(NO_ROOM));
        }
        self.registry.register(source, key.token(), interest.into())
    }

    /// Watches a registered socket under another key or for something else. What is ready already is
    /// reported again.
    pub(crate) fn reregister(
        self,
        source: &mut impl mio::event::Source,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.reregister(source, key.token(), interest.into())
    }

    /// Watches a datagram socket that others may hold, too, for something else. What is ready already is reported
    /// again. Only where [`WATCHES_CHANGE`](Self::WATCHES_CHANGE).
    pub(crate) fn rewatch(
        self,
        socket: &mio::net::UdpSocket,
        key: Key,
        interest: Interest,
    ) -> io::Result<()> {
        millrace_sys::rewatch(self.registry, socket, key.token(), interest.into())
    }

    /// Stops watching a socket that is closed right after. An error changes nothing: closing takes a
    /// socket out of an epoll set by itself.
    pub(crate) fn deregister(self, source: &mut impl mio::event::Source) {
        let _ = self.registry.deregister(source);
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
