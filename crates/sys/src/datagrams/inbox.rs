//! What an inbox holds, however it was received.

use super::{Datagram, Inbox, LARGEST, RECEIVED_AT_ONCE};
use std::net::SocketAddr;

/// Where one of the last datagrams is in an inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got {
    pub(super) from: Option<SocketAddr>,
    /// In the inbox's memory.
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) is_truncated: bool,
}

/// The memory of an inbox. What no datagram reached costs address space only.
#[derive(Debug)]
pub(super) struct Memory(pub(super) Vec<u8>);

impl Memory {
    pub(super) fn new() -> Self {
        Self(vec![0; RECEIVED_AT_ONCE * LARGEST])
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// How many datagrams were received last.
    #[must_use]
    pub fn len(&self) -> usize {
        self.got.len()
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.got.is_empty()
    }

    /// One of the datagrams received last.
    ///
    /// # Panics
    /// If there were not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> Datagram<'_> {
        let Got { from, start, length, is_truncated } = self.got[at];
        Datagram { from, bytes: &self.memory.0[start..][..length], is_truncated }
    }
}
