//! Datagrams that were received and are not in the ring yet.

use std::collections::VecDeque;

/// Datagrams for which the ring had no room or the socket no budget, in order. They exist because the number
/// of datagrams in a train is known only when the train is received. Nothing more is received while there
/// are any, so they are never more than one system call gives: 32 trains of up to 64 KiB.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue(VecDeque<Box<[u8]>>);

impl ReceiveQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds the payload of a record, given in two pieces.
    pub(super) fn push(&mut self, head: &[u8], bytes: &[u8]) {
        self.0.push_back([head, bytes].concat().into());
    }

    /// The payload of the next record.
    pub(super) fn first(&self) -> Option<&[u8]> {
        self.0.front().map(AsRef::as_ref)
    }

    /// Removes the first payload, which is in the ring now.
    pub(super) fn pop(&mut self) {
        self.0.pop_front();
        if self.0.is_empty() {
            self.clear();
        }
    }
}
