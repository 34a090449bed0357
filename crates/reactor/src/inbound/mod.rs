//! The loop's end of the inbound ring, on which everything goes to the user, and what limits it.
//!
//! [`Inbound`] is what a loop lends to its sockets: they put records into the ring, and share its read
//! buffer and its clock. `backpressure.rs` holds a socket back while the user does not consume its input.

mod backpressure;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use backpressure::{Credit, Until};

use crate::segments::Segments;
use crate::stats::Stats;
use crate::timers::{Tick, Timers};
use backpressure::HeldSockets;
use bytes::BytesMut;
use millrace_ring::record::{self, HEADER};
use millrace_ring::{Producer, record::Label};
use millrace_sys::Duplicate;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

/// How much one read asks for. The loop has one buffer of this size for all of its framed connections.
pub(crate) const CHUNK: u32 = 64 << 10;
/// What one socket may read, or send from its queue, in one turn, and may have waiting in the ring: a
/// socket that floods delays the others by that much, and no more.
pub(crate) const BUDGET: u32 = 4 * CHUNK;
/// Records are published no later than after this many bytes, so that the user can begin while the turn
/// goes on.
pub(crate) const BATCH: u32 = 32 << 10;
/// The same for small records: sockets that were served since the first record that is not published.
const BATCH_SOCKETS: u32 = 48;

/// Tells the loop's user that there are records, or room, in the loop's rings. Called on the loop's
/// thread; it must not block.
pub trait Bell: Send + Sync + Debug {
    /// Makes the user look at the rings.
    fn ring(&self);
}

/// The near end of a loop's inbound ring, and what else the loop lends to its sockets.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) ring: Producer,
    /// The loop's read buffer.
    pub(crate) scratch: BytesMut,
    /// Memory for output that waits.
    pub(crate) segments: Segments,
    pub(crate) stats: Arc<Stats>,
    bell: Arc<dyn Bell>,
    /// When the turn began.
    pub(crate) now: Instant,
    /// The tick in which the turn began.
    pub(crate) tick: Tick,
    held: HeldSockets,
    /// Room that data leaves free for control records, so that it cannot lock them out.
    control_room: u32,
    /// The largest record of data.
    pub(crate) quarter: u32,
    published_at: u32,
    /// Sockets served since then, from the first that added a record.
    unpublished: u32,
    /// Descriptors that unpublished records name: closed if the records are never published.
    duplicates: Vec<Duplicate>,
}

impl Inbound {
    pub(crate) fn new(
        ring: Producer,
        bell: Arc<dyn Bell>,
        stats: Arc<Stats>,
        now: Instant,
    ) -> Self {
        let quarter = ring.capacity() / 4;
        Self {
            scratch: BytesMut::new(),
            segments: Segments::default(),
            stats,
            bell,
            now,
            tick: Timers::new(now).clock(now).tick(),
            held: HeldSockets::default(),
            control_room: quarter.min(64 << 10),
            quarter,
            published_at: ring.position(),
            unpublished: 0,
            duplicates: Vec::new(),
            ring,
        }
    }

    /// The largest payload of one record of data.
    pub(crate) fn largest(&self) -> u32 {
        self.quarter - HEADER
    }

    /// What a record of data has to leave free.
    pub(crate) fn control_room(&self) -> u32 {
        self.control_room
    }

    /// Whether reading for the ring is worth it: the largest record fits, in one piece.
    pub(crate) fn has_room(&mut self) -> bool {
        let largest = self.largest();
        self.ring.reserve(largest, largest, self.control_room).is_some()
    }

    /// Pushes a record of data with its payload in two pieces; false if there is no room.
    pub(crate) fn data(&mut self, label: Label, prefix: &[u8], payload: &[u8]) -> bool {
        let length = (prefix.len() + payload.len()) as u32;
        let Some(mut reservation) = self.ring.reserve(length, length, self.control_room) else {
            return false;
        };
        let (front, back) = reservation.bytes().split_at_mut(prefix.len());
        front.copy_from_slice(prefix);
        back.copy_from_slice(payload);
        reservation.commit(label, length);
        self.stats.counters.records_in(1);
        true
    }

    /// Pushes a control record, which may use the room that data leaves; false if there is none.
    pub(crate) fn control(
        &mut self,
        slot: u32,
        generation: u32,
        kind: u32,
        payload: &[u8],
    ) -> bool {
        debug_assert!(record::size(payload.len() as u32) <= self.control_room);
        self.ring.push(Label { slot, generation, kind }, payload, 0)
    }

    /// Leaves a descriptor to the user once the record that names it is published.
    pub(crate) fn give(&mut self, duplicate: Duplicate) {
        self.duplicates.push(duplicate);
    }

    /// Drops what is not published, and closes the descriptors that it names.
    pub(crate) fn discard(&mut self) {
        self.ring.discard();
        self.duplicates.clear();
    }

    /// Publishes the records, and rings if there are any.
    pub(crate) fn publish(&mut self) {
        if self.ring.publish() {
            // The user knows the numbers of these descriptors from here on.
            self.duplicates.drain(..).for_each(Duplicate::give);
            self.published_at = self.ring.position();
            self.unpublished = 0;
            self.bell.ring();
        }
    }

    /// Publishes in the middle of a turn if enough has gathered. Called after each socket.
    pub(crate) fn publish_batch(&mut self) {
        let gathered = self.ring.position().wrapping_sub(self.published_at);
        self.unpublished += u32::from(gathered > 0);
        if gathered >= BATCH || self.unpublished >= BATCH_SOCKETS {
            self.publish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, BATCH_SOCKETS};
    use crate::inbound::testing;
    use millrace_ring::record::Label;
    use proptest::prelude::*;

    const LABEL: Label = Label { slot: 0, generation: 0, kind: 2 };

    #[test]
    fn small_records_of_many_sockets_are_published_before_the_turn_ends() {
        let (mut inbound, mut consumer) = testing::inbound(1 << 16);
        // A socket without a record does not count: there is nothing to publish.
        for _ in 0..BATCH_SOCKETS {
            inbound.publish_batch();
        }
        for _ in 0..2 {
            for _ in 1..BATCH_SOCKETS {
                assert!(inbound.data(LABEL, &[], b"small"));
                inbound.publish_batch();
            }
            assert!(consumer.next().is_none(), "too soon");
            assert!(inbound.data(LABEL, &[], b"small"));
            inbound.publish_batch();
            for _ in 0..BATCH_SOCKETS {
                assert!(consumer.next().is_some(), "not published");
            }
        }
    }

    #[test]
    fn much_data_of_few_sockets_is_published_before_the_turn_ends() {
        let (mut inbound, mut consumer) = testing::inbound(1 << 20);
        let half = vec![0; BATCH as usize / 2];
        assert!(inbound.data(LABEL, &[], &half));
        inbound.publish_batch();
        assert!(consumer.next().is_none(), "too soon");
        assert!(inbound.data(LABEL, &[], &half));
        inbound.publish_batch();
        assert!(consumer.next().is_some(), "not published");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A loop with held connections goes on when there is room: if a connection then found none, the
        /// loop would turn in vain for ever.
        #[test]
        fn the_largest_record_fits_whenever_there_is_room(
            steps in proptest::collection::vec((0usize..1008, any::<bool>()), 1..200),
        ) {
            let (mut inbound, mut consumer) = testing::inbound(4096);
            for (length, takes) in steps {
                if inbound.has_room() {
                    let largest = vec![0; inbound.largest() as usize];
                    let payload = if length % 3 == 0 { &largest } else { &largest[..length] };
                    prop_assert!(inbound.data(LABEL, &[], payload));
                }
                inbound.publish();
                if takes {
                    consumer.next();
                    consumer.release();
                }
            }
        }
    }
}
