//! The two positions of a ring, the only words that both of its ends touch.

use crate::sync::{AtomicU32, Ordering};
use crossbeam_utils::CachePadded;

/// Positions count bytes, wrap at 2^32 and are masked with the capacity to find a place.
///
/// Each stands on a cache line of its own, so that a producer that publishes does not take the line
/// from under a consumer that releases.
#[derive(Debug)]
pub(crate) struct Indices {
    /// Everything before it is free again. Stored by the consumer only.
    head: CachePadded<AtomicU32>,
    /// Everything before it is there to be read. Stored by the producer only.
    tail: CachePadded<AtomicU32>,
}

impl Indices {
    pub(crate) fn new() -> Self {
        Self {
            head: CachePadded::new(AtomicU32::new(0)),
            tail: CachePadded::new(AtomicU32::new(0)),
        }
    }

    /// The consumer's position, as the producer sees it.
    pub(crate) fn head(&self) -> u32 {
        // ORDER: pairs with the Release in `set_head`: the consumer has done with those bytes.
        self.head.load(Ordering::Acquire)
    }

    pub(crate) fn set_head(&self, head: u32) {
        // ORDER: the consumer's last reads happen before the producer, whose Acquire in `head` sees
        // this, writes there again.
        self.head.store(head, Ordering::Release);
    }

    /// The producer's position, as the consumer sees it.
    pub(crate) fn tail(&self) -> u32 {
        // ORDER: pairs with the Release in `set_tail`: the records before it are whole.
        self.tail.load(Ordering::Acquire)
    }

    pub(crate) fn set_tail(&self, tail: u32) {
        // ORDER: the records before it are written before the consumer's Acquire in `tail`.
        self.tail.store(tail, Ordering::Release);
    }
}
