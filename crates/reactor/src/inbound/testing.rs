//! An inbound ring for unit tests.

use super::{Bell, Inbound};
use crate::stats::Stats;
use millrace_ring::{Consumer, Memory, pair};
use std::sync::Arc;
use std::time::Instant;

/// A bell that nobody hears.
#[derive(Debug)]
pub(crate) struct Silent;

impl Bell for Silent {
    fn ring(&self) {}
}

/// The near end of an inbound ring of so many bytes, and its far end.
pub(crate) fn inbound(bytes: usize) -> (Inbound, Consumer) {
    let (producer, consumer) = pair(Memory::leaked(bytes).unwrap());
    let stats = Arc::new(Stats::default());
    (Inbound::new(producer, Arc::new(Silent), stats, Instant::now()), consumer)
}
