//! The byte counts of connections: written by their loop, read by the thread that writes to them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots of the first block. Each further block is as large as all blocks before it.
const FIRST: u32 = 256;
/// Enough blocks for 2^31 slots.
const BLOCKS: usize = 24;

/// For each slot: the low half of the bytes that the kernel took, with the slot's generation, and the
/// bytes received.
///
/// A writer that seems to be over its high-water mark looks here before it reports that. The
/// alternative, records that report queue lengths, costs a record whenever a mark is crossed and is late
/// by a batch. Blocks are added and never moved or freed, so neither side ever waits.
#[derive(Debug)]
pub(crate) struct Gauges {
    blocks: [OnceLock<Box<[Gauge]>>; BLOCKS],
}

#[derive(Debug, Default)]
struct Gauge {
    /// The generation in the upper half, the low half of the bytes sent in the lower.
    sent: AtomicU64,
    received: AtomicU64,
    /// Bytes of the other side of its pipe that wait to be sent.
    relayed: AtomicU64,
}

impl Default for Gauges {
    fn default() -> Self {
        Self { blocks: [const { OnceLock::new() }; BLOCKS] }
    }
}

impl Gauges {
    /// Begins the counts of a new connection. Only the loop calls this and the other methods that store.
    pub(crate) fn open(&self, slot: u32, generation: u32) {
        let gauge = self.own(slot);
        // ORDER: the generation first, so that a reader that sees the new count sees that the slot has
        // moved on.
        gauge.sent.store(u64::from(generation) << 32, Ordering::Release);
        gauge.received.store(0, Ordering::Release);
        gauge.relayed.store(0, Ordering::Release);
    }

    pub(crate) fn sent(&self, slot: u32, generation: u32, sent: u64) {
        // ORDER: Release, so that a thread that sees the count also sees the room that the ring got back.
        let packed = u64::from(generation) << 32 | u64::from(sent as u32);
        self.own(slot).sent.store(packed, Ordering::Release);
    }

    pub(crate) fn received(&self, slot: u32, received: u64) {
        self.own(slot).received.store(received, Ordering::Release);
    }

    pub(crate) fn relayed(&self, slot: u32, waiting: u64) {
        self.own(slot).relayed.store(waiting, Ordering::Release);
    }

    /// Bytes of the other side of its pipe that wait to be sent; `None` if the slot has moved on.
    pub(crate) fn read_relayed(&self, slot: u32, generation: u32) -> Option<u64> {
        // ORDER: the count before the generation, the reverse of the order in `open`.
        let waiting = self.find(slot)?.relayed.load(Ordering::Acquire);
        self.read_sent(slot, generation)?;
        Some(waiting)
    }

    /// The low 32 bits of the bytes that the kernel took from this connection; `None` if the slot has
    /// moved on.
    pub(crate) fn read_sent(&self, slot: u32, generation: u32) -> Option<u32> {
        // ORDER: pairs with the Release in `sent`.
        let packed = self.find(slot)?.sent.load(Ordering::Acquire);
        (packed >> 32 == u64::from(generation)).then_some(packed as u32)
    }

    /// The bytes that this connection received; `None` if the slot has moved on.
    pub(crate) fn read_received(&self, slot: u32, generation: u32) -> Option<u64> {
        let gauge = self.find(slot)?;
        // ORDER: the count before the generation, the reverse of the order in `open`.
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
    fn each_slot_has_its_own_gauge() {
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
    fn the_count_of_another_generation_is_not_returned() {
        let gauges = Gauges::default();
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
