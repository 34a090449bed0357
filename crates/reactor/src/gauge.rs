//! Byte counts of connections, written by their loop and readable by the thread that writes to them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots of the first block; each further one is as large as all before it.
const FIRST: u32 = 256;
/// Enough blocks for 2^31 slots.
const BLOCKS: usize = 24;

/// For each slot: the low half of the bytes that the kernel took, under the slot's generation, and
/// the bytes received.
///
/// A writer that seems to be over its high-water mark looks here before it says so. The alternative,
/// records that report queue lengths, costs a record per crossing of a mark and is late by a batch.
/// Blocks are added and never moved or freed, so neither side ever waits.
#[derive(Debug)]
pub(crate) struct Gauges {
    blocks: [OnceLock<Box<[Gauge]>>; BLOCKS],
}

#[derive(Debug, Default)]
struct Gauge {
    /// Generation above, low half of the bytes sent below.
    sent: AtomicU64,
    received: AtomicU64,
}

impl Gauges {
    pub(crate) fn new() -> Self {
        Self { blocks: [const { OnceLock::new() }; BLOCKS] }
    }

    /// A new connection took the slot. Called by the loop only, as all that stores.
    pub(crate) fn open(&self, slot: u32, generation: u32) {
        let gauge = self.own(slot);
        // ORDER: the generation first: a reader that sees the new count sees that it is not its own.
        gauge.sent.store(u64::from(generation) << 32, Ordering::Release);
        gauge.received.store(0, Ordering::Release);
    }

    pub(crate) fn sent(&self, slot: u32, generation: u32, sent: u64) {
        // ORDER: Release, so that whoever sees the count has left the ring's room behind it.
        let packed = u64::from(generation) << 32 | u64::from(sent as u32);
        self.own(slot).sent.store(packed, Ordering::Release);
    }

    pub(crate) fn received(&self, slot: u32, received: u64) {
        self.own(slot).received.store(received, Ordering::Release);
    }

    /// The low 32 bits of what the kernel took from this connection, unless the slot has moved on.
    pub(crate) fn read_sent(&self, slot: u32, generation: u32) -> Option<u32> {
        // ORDER: pairs with the Release in `sent`.
        let packed = self.find(slot)?.sent.load(Ordering::Acquire);
        (packed >> 32 == u64::from(generation)).then_some(packed as u32)
    }

    /// What this connection received, unless the slot has moved on.
    pub(crate) fn read_received(&self, slot: u32, generation: u32) -> Option<u64> {
        let gauge = self.find(slot)?;
        // ORDER: the count before the generation, against the order in `open`.
        let received = gauge.received.load(Ordering::Acquire);
        self.read_sent(slot, generation)?;
        Some(received)
    }

    fn place(slot: u32) -> (usize, usize) {
        if slot < FIRST {
            return (0, slot as usize);
        }
        let block = slot.ilog2() - FIRST.ilog2() + 1;
        (block as usize, (slot - (FIRST << (block - 1))) as usize)
    }

    fn own(&self, slot: u32) -> &Gauge {
        let (block, at) = Self::place(slot);
        let gauges = self.blocks[block].get_or_init(|| {
            let length = if block == 0 { FIRST } else { FIRST << (block - 1) };
            (0..length).map(|_| Gauge::default()).collect()
        });
        &gauges[at]
    }

    fn find(&self, slot: u32) -> Option<&Gauge> {
        let (block, at) = Self::place(slot);
        self.blocks.get(block)?.get()?.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::Gauges;

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for slot in 0..5000 {
            assert!(seen.insert(Gauges::place(slot)), "{slot}");
        }
        assert_eq!(Gauges::place(255), (0, 255));
        assert_eq!(Gauges::place(256), (1, 0));
        assert_eq!(Gauges::place(511), (1, 255));
        assert_eq!(Gauges::place(512), (2, 0));
    }

    #[test]
    fn a_count_of_another_generation_is_not_told() {
        let gauges = Gauges::new();
        assert_eq!(gauges.read_sent(9, 0), None);
        gauges.open(9, 4);
        gauges.sent(9, 4, (1 << 32) + 5);
        gauges.received(9, 6);
        assert_eq!(gauges.read_sent(9, 4), Some(5));
        assert_eq!(gauges.read_received(9, 4), Some(6));
        gauges.open(9, 5);
        assert_eq!(gauges.read_sent(9, 4), None);
        assert_eq!(gauges.read_received(9, 4), None);
        assert_eq!(gauges.read_received(9, 5), Some(0));
    }
}
