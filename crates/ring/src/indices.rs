//! The two positions of a ring: the only words that both ends of the ring use.

use crate::sync::{AtomicU32, Ordering};
use crossbeam_utils::CachePadded;

/// The positions count bytes, wrap at 2^32, and are masked with the capacity to find a place in the ring.
///
/// Each has a cache line of its own, so that a producer that publishes and a consumer that releases do
/// not take the line from each other.
#[derive(Debug)]
pub(crate) struct Indices {
    /// Everything before this position is free again. Stored by the consumer only.
    head: CachePadded<AtomicU32>,
    /// Everything before this position can be read. Stored by the producer only.
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
        // ORDER: pairs with the Release in `set_head`: the consumer does not read those bytes any more.
        self.head.load(Ordering::Acquire)
    }

    pub(crate) fn set_head(&self, head: u32) {
        // ORDER: Release, so that the consumer's last reads happen before the producer writes there
        // again, after its Acquire in `head`.
        self.head.store(head, Ordering::Release);
    }

    /// The producer's position, as the consumer sees it.
    pub(crate) fn tail(&self) -> u32 {
        // ORDER: pairs with the Release in `set_tail`: the records before this position are whole.
        self.tail.load(Ordering::Acquire)
    }

    pub(crate) fn set_tail(&self, tail: u32) {
        // ORDER: Release, so that the records before this position are written before the consumer
        // reads them, after its Acquire in `tail`.
        self.tail.store(tail, Ordering::Release);
    }
}
