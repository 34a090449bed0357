//! Datagrams that wait to be sent.

use millrace_sys::datagrams::{Outgoing, Source};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What a waiting datagram counts for beside its bytes. Its user counts the same.
pub(super) const COST: usize = 64;

/// A datagram for which the kernel had no room.
#[derive(Debug)]
struct Queued {
    to: Option<SocketAddr>,
    source: Option<Source>,
    bytes: Box<[u8]>,
}

/// Datagrams for which the kernel had no room, in order. The user limits how many there are: it sends no more
/// than its limit before it sees that something was sent.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    datagrams: VecDeque<Queued>,
    cost: usize,
}

impl SendQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn push(&mut self, outgoing: Outgoing<'_>) {
        self.cost += outgoing.bytes.len() + COST;
        let Outgoing { to, source, bytes } = outgoing;
        self.datagrams.push_back(Queued { to, source, bytes: bytes.into() });
    }

    /// Removes the first `count` datagrams.
    pub(super) fn pop(&mut self, count: usize) {
        for each in self.datagrams.drain(..count) {
            self.cost -= each.bytes.len() + COST;
        }
    }

    /// Bytes that wait, and [`COST`] more for each datagram.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The first datagrams, at most `count`.
    pub(super) fn front(&self, count: usize) -> Vec<Outgoing<'_>> {
        let front = self.datagrams.iter().take(count);
        front
            .map(|Queued { to, source, bytes }| Outgoing { to: *to, source: *source, bytes })
            .collect()
    }
}
