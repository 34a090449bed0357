//! Datagrams that were received, and that are not in the ring yet.

use std::collections::VecDeque;

/// Datagrams for which the ring had no room, or the socket no budget, in order: how many there are in a
/// train is known only when it is received. Nothing more is received before they are gone, so they
/// are never more than one system call gives: 32 trains of up to 64 KiB.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<Box<[u8]>>);

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps the payload of a record, in two pieces.
    pub(super) fn push(&mut self, head: &[u8], bytes: &[u8]) {
        self.0.push_back([head, bytes].concat().into());
    }

    /// The payload of the next record.
    pub(super) fn first(&self) -> Option<&[u8]> {
        self.0.front().map(AsRef::as_ref)
    }

    /// The first one is in the ring.
    pub(super) fn pop(&mut self) {
        self.0.pop_front();
        if self.0.is_empty() {
            self.clear();
        }
    }
}
