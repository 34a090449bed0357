//! What a loop counts and anyone may read: its own totals, and the byte counts of its connections.

mod counters;
mod gauges;

pub use counters::LoopCounts;
pub(crate) use counters::{Counter, Counters};
pub(crate) use gauges::Gauges;

use std::sync::atomic::{AtomicU64, Ordering};

/// A loop's statistics. Only the loop writes them.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) counters: Counters,
    pub(crate) gauges: Gauges,
    /// Sockets that stay for their last replies at this moment.
    last_replies: AtomicU64,
}

impl Stats {
    pub(crate) fn set_last_replies(&self, count: u64) {
        // ORDER: Relaxed, because no other memory depends on the number.
        self.last_replies.store(count, Ordering::Relaxed);
    }

    pub(crate) fn last_replies(&self) -> u64 {
        // ORDER: Relaxed, as in `set_last_replies`.
        self.last_replies.load(Ordering::Relaxed)
    }
}
