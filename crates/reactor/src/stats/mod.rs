//! What a loop counts and anyone may read: its own totals, and the byte counts of its connections.

mod counters;
mod gauges;

pub use counters::LoopCounts;
pub(crate) use counters::{Counter, Counters};
pub(crate) use gauges::Gauges;

/// A loop's statistics. Only the loop writes them.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) counters: Counters,
    pub(crate) gauges: Gauges,
}
