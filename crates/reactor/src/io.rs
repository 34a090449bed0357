//! What the connections of a loop work with: its rings' near ends, its buffer, its clock.

use crate::shared::Shared;
use bytes::BytesMut;
use millrace_ring::record::{self, HEADER};
use millrace_ring::{Producer, record::Label};
use millrace_sys::Duplicate;
use std::sync::Arc;
use std::time::Instant;

/// One read's worth; the loop has one such buffer for all of its framed connections.
pub(crate) const CHUNK: u32 = 64 << 10;
/// What one connection may read, or send from its queue, in one turn, and may have waiting in the
/// ring: one that floods makes the others wait for that much, and no more.
pub(crate) const BUDGET: u32 = 4 * CHUNK;
/// Published no later than this, so that the other side can begin while the turn goes on.
pub(crate) const BATCH: u32 = 32 << 10;
/// The same of small records: sockets that were told of since the first of what is not published.
const BATCH_SOCKETS: u32 = 48;

#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) inbound: Producer,
    pub(crate) scratch: BytesMut,
    pub(crate) shared: Arc<Shared>,
    pub(crate) now: Instant,
    /// Connections wait for room: whoever has something to read now waits behind them.
    pub(crate) is_crowded: bool,
    /// Kept free for control records, which data must not lock out.
    control_room: u32,
    /// The largest record of data.
    pub(crate) quarter: u32,
    published_at: u32,
    /// Sockets that were done with since then, from the first that had something to tell.
    unpublished: u32,
    /// What records name that are not published: closed if they never are.
    duplicates: Vec<Duplicate>,
}

impl Io {
    pub(crate) fn new(inbound: Producer, shared: Arc<Shared>, now: Instant) -> Self {
        let quarter = inbound.capacity() / 4;
        Self {
            scratch: BytesMut::new(),
            shared,
            now,
            is_crowded: false,
            control_room: quarter.min(64 << 10),
            quarter,
            published_at: inbound.position(),
            unpublished: 0,
            duplicates: Vec::new(),
            inbound,
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

    /// Whether it is worth reading for the ring: the largest record fits, in one piece.
    pub(crate) fn has_room(&mut self) -> bool {
        let largest = self.largest();
        self.inbound.reserve(largest, largest, self.control_room).is_some()
    }

    /// Pushes a record of data with its payload in two pieces; false if there is no room.
    pub(crate) fn data(&mut self, label: Label, prefix: &[u8], payload: &[u8]) -> bool {
        let length = (prefix.len() + payload.len()) as u32;
        let Some(mut reservation) = self.inbound.reserve(length, length, self.control_room) else {
            return false;
        };
        let (front, back) = reservation.bytes().split_at_mut(prefix.len());
        front.copy_from_slice(prefix);
        back.copy_from_slice(payload);
        reservation.commit(label, length);
        self.shared.counters.records_in(1);
        true
    }

    /// Pushes a record of control, which may use the room that data leaves.
    pub(crate) fn control(
        &mut self,
        slot: u32,
        generation: u32,
        kind: u32,
        payload: &[u8],
    ) -> bool {
        debug_assert!(record::size(payload.len() as u32) <= self.control_room);
        self.inbound.push(Label { slot, generation, kind }, payload, 0)
    }

    /// Leaves a descriptor to the user once the record that names it is published.
    pub(crate) fn give(&mut self, duplicate: Duplicate) {
        self.duplicates.push(duplicate);
    }

    /// Forgets what is not published, and closes what it would have given away.
    pub(crate) fn discard(&mut self) {
        self.inbound.discard();
        self.duplicates.clear();
    }

    /// Shows the user what there is, and rings.
    pub(crate) fn publish(&mut self) {
        if self.inbound.publish() {
            // Their numbers are known from here on.
            self.duplicates.drain(..).for_each(Duplicate::give);
            self.published_at = self.inbound.position();
            self.unpublished = 0;
            self.shared.bell.ring();
        }
    }

    /// After each socket: publishes in the middle of a turn if enough has gathered.
    pub(crate) fn publish_batch(&mut self) {
        let gathered = self.inbound.position().wrapping_sub(self.published_at);
        self.unpublished += u32::from(gathered > 0);
        if gathered >= BATCH || self.unpublished >= BATCH_SOCKETS {
            self.publish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, BATCH_SOCKETS};
    use crate::testing;
    use millrace_ring::record::Label;
    use proptest::prelude::*;

    const LABEL: Label = Label { slot: 0, generation: 0, kind: 2 };

    #[test]
    fn small_records_of_many_sockets_are_shown_before_the_turn_ends() {
        let (mut io, mut consumer, _poll) = testing::io(1 << 16);
        // Who has nothing to tell does not count, as there is nothing to show.
        for _ in 0..BATCH_SOCKETS {
            io.publish_batch();
        }
        for _ in 0..2 {
            for _ in 1..BATCH_SOCKETS {
                assert!(io.data(LABEL, &[], b"small"));
                io.publish_batch();
            }
            assert!(consumer.next().is_none(), "too soon");
            assert!(io.data(LABEL, &[], b"small"));
            io.publish_batch();
            for _ in 0..BATCH_SOCKETS {
                assert!(consumer.next().is_some(), "not shown");
            }
        }
    }

    #[test]
    fn much_of_few_sockets_is_shown_before_the_turn_ends() {
        let (mut io, mut consumer, _poll) = testing::io(1 << 20);
        let half = vec![0; BATCH as usize / 2];
        assert!(io.data(LABEL, &[], &half));
        io.publish_batch();
        assert!(consumer.next().is_none(), "too soon");
        assert!(io.data(LABEL, &[], &half));
        io.publish_batch();
        assert!(consumer.next().is_some(), "not shown");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A loop with starved connections goes on when there is room: if it then found none, it
        /// would turn and turn.
        #[test]
        fn where_there_is_room_the_largest_record_fits(
            steps in proptest::collection::vec((0usize..1008, any::<bool>()), 1..200),
        ) {
            let (mut io, mut consumer, _poll) = testing::io(4096);
            for (length, takes) in steps {
                if io.has_room() {
                    let largest = vec![0; io.largest() as usize];
                    let payload = if length % 3 == 0 { &largest } else { &largest[..length] };
                    prop_assert!(io.data(LABEL, &[], payload));
                }
                io.publish();
                if takes {
                    consumer.next();
                    consumer.release();
                }
            }
        }
    }
}
