//! The datagrams of an inbox, however they were received.

use super::{Datagram, Extras, Inbox, LARGEST, Local, RECEIVED_AT_ONCE};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;

/// Where a datagram is in an inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got {
    pub(super) from: Option<SocketAddr>,
    pub(super) local: Option<Local>,
    /// An offset in the inbox's memory.
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) is_truncated: bool,
}

/// The memory of an inbox. The part that no datagram has reached costs address space only.
#[derive(Debug)]
pub(super) struct Memory(pub(super) Vec<u8>);

impl Memory {
    pub(super) fn new() -> Self {
        Self(vec![0; RECEIVED_AT_ONCE * LARGEST])
    }
}

/// What one call is to receive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// At most so many datagrams or trains: 1 to [`RECEIVED_AT_ONCE`].
    pub(super) count: usize,
    /// At most so many bytes of each datagram: up to [`LARGEST`].
    pub(super) max: usize,
    pub(super) extras: Extras,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// Receives at most `count` datagrams of at most `max` bytes each, in place of the last ones. Returns how
    /// many. If there are fewer than asked for, no more are waiting, unless the socket has an error.
    ///
    /// # Errors
    /// Those of receiving, if no datagram was received before the error.
    pub fn receive(&mut self, socket: &Socket, count: usize, max: usize) -> io::Result<usize> {
        self.receive_with(socket, count, max, Extras::default())
    }

    /// Receives as [`receive`](Self::receive) does, with what the socket was told to say beside. A train is split into
    /// its datagrams; `count` and the result are of trains then, and a datagram that came alone is a train, too.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_with(
        &mut self,
        socket: &Socket,
        count: usize,
        max: usize,
        extras: Extras,
    ) -> io::Result<usize> {
        self.got.clear();
        let count = count.clamp(1, RECEIVED_AT_ONCE);
        self.fill(socket, Wanted { count, max: max.min(LARGEST), extras })
    }

    /// How many datagrams the last call received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.got.len()
    }

    /// Whether the last call received none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.got.is_empty()
    }

    /// Returns one of the datagrams that the last call received.
    ///
    /// # Panics
    /// If there were fewer.
    #[must_use]
    pub fn get(&self, at: usize) -> Datagram<'_> {
        let Got { from, local, start, length, is_truncated } = self.got[at];
        Datagram { from, local, bytes: &self.memory.0[start..][..length], is_truncated }
    }
}
