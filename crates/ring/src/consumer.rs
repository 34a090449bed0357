//! The end of a ring that empties it.

use crate::indices::Indices;
use crate::memory::Memory;
use crate::record::{self, HEADER, Label, SKIP};
use std::sync::Arc;

/// Empties a ring: takes records in place, and gives their room back once for each batch.
///
/// A ring has one consumer: it can move to another thread, but it cannot be shared or cloned.
#[derive(Debug)]
pub struct Consumer {
    memory: Memory,
    indices: Arc<Indices>,
    /// The next record to take.
    head: u32,
    /// Up to where the producer may write.
    released: u32,
    /// The producer's position at the last look.
    tail: u32,
    /// Where the payload of the last record is.
    last: Place,
}

/// Where the payload of a record is that was taken, for [`Consumer::lend`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// A position in the ring, counted like its other positions.
    position: u32,
    length: u32,
}

/// One record, in place.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Whose record it is, and what it says.
    pub label: Label,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Consumer {
    pub(crate) fn new(memory: Memory, indices: Arc<Indices>) -> Self {
        Self { memory, indices, head: 0, released: 0, tail: 0, last: Place::default() }
    }

    /// The ring's size in bytes.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.memory.capacity()
    }

    /// Looks for newly published records, once all records seen before are taken.
    pub fn look(&mut self) {
        if self.head == self.tail {
            self.tail = self.indices.tail();
        }
    }

    /// True if there is nothing to take at this moment.
    pub fn is_empty(&mut self) -> bool {
        self.look();
        self.head == self.tail
    }

    /// Takes the next record, if one is published.
    ///
    /// # Panics
    /// If a record reaches past what was published, which no correct producer writes. (One end of a ring is
    /// in JavaScript. Whatever it writes, no memory outside the ring is read.)
    #[expect(
        clippy::should_implement_trait,
        reason = "a lending iterator: the record borrows the consumer"
    )]
    pub fn next(&mut self) -> Option<Record<'_>> {
        self.look();
        self.next_seen()
    }

    /// Takes the next record among those that the last [`look`](Self::look) saw, so that there is an end to
    /// them however fast the producer is.
    ///
    /// # Panics
    /// As for [`next`](Self::next).
    pub fn next_seen(&mut self) -> Option<Record<'_>> {
        if self.head == self.tail {
            return None;
        }
        let mut offset = self.memory.offset(self.head);
        let mut available = self.tail.wrapping_sub(self.head);
        if self.word(offset) == SKIP {
            let skipped = self.capacity() - offset;
            assert!(skipped < available, "a ring skipped past what was published");
            self.head = self.head.wrapping_add(skipped);
            available -= skipped;
            offset = 0;
        }
        let room = available.min(self.capacity() - offset).checked_sub(HEADER);
        let room = room.expect("a ring's record is cut short");
        let [slot, generation, kind, length] = [0, 4, 8, 12].map(|field| self.word(offset + field));
        assert!(length <= room, "a ring's record reaches past what was published");
        self.last = Place { position: self.head.wrapping_add(HEADER), length };
        self.head = self.head.wrapping_add(record::size(length));
        // SAFETY: the payload is within the memory and within what is published and not yet
        // released, as was just checked.
        let payload = unsafe { self.memory.read(offset + HEADER, length) };
        Some(Record { label: Label { slot, generation, kind }, payload })
    }

    /// Where the payload of the record taken last is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.last
    }

    /// Lends the payload of a record again that was taken and not released yet. Several can be lent at a
    /// time, and unlike those of [`next`](Self::next) also after further records were taken.
    ///
    /// # Panics
    /// If the record was released, or is in another ring.
    #[must_use]
    pub fn lend(&self, place: Place) -> &[u8] {
        let Place { position, length } = place;
        let from = position.wrapping_sub(self.released);
        let held = self.head.wrapping_sub(self.released);
        let offset = self.memory.offset(position);
        let fits = from <= held && length <= held - from && length <= self.capacity() - offset;
        assert!(fits, "a payload is lent that was released");
        // SAFETY: the range is within the memory and within what was taken and not released, as was
        // just checked. The producer does not write there until it is released, and `release` needs
        // the borrow that this slice holds.
        unsafe { self.memory.read(offset, length) }
    }

    /// Gives the room of all records taken so far back to the producer; true if there was any.
    pub fn release(&mut self) -> bool {
        if self.released == self.head {
            return false;
        }
        self.released = self.head;
        self.indices.set_head(self.head);
        true
    }

    /// Reads one word of a header.
    fn word(&self, offset: u32) -> u32 {
        // SAFETY: callers pass offsets of words within published records, which are multiples of 4
        // below the capacity.
        let bytes = unsafe { self.memory.read(offset, 4) };
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

#[cfg(all(test, not(loom)))]
impl Consumer {
    /// Moves to another position, so that tests see positions wrap.
    pub(crate) fn jump(&mut self, position: u32) {
        (self.head, self.released, self.tail) = (position, position, position);
        self.indices.set_head(position);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::record::Label;
    use crate::{Memory, pair};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const LABEL: Label = Label { slot: 1, generation: 2, kind: 3 };

    #[test]
    fn payloads_can_be_lent_together_until_they_are_released() {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        // The ring and its positions both wrap during the test.
        producer.jump(u32::MAX - 511);
        consumer.jump(u32::MAX - 511);
        for round in 0..20u8 {
            for part in 0..3 {
                assert!(producer.push(LABEL, &[round, part], 0));
            }
            producer.publish();
            let mut places = Vec::new();
            while consumer.next().is_some() {
                places.push(consumer.place());
            }
            let lent: Vec<&[u8]> = places.iter().map(|place| consumer.lend(*place)).collect();
            assert_eq!(lent, [[round, 0], [round, 1], [round, 2]]);
            consumer.release();
        }
    }

    #[test]
    fn a_consumer_is_empty_until_a_record_is_published_and_once_it_is_taken() {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        assert!(consumer.is_empty());
        assert!(producer.push(LABEL, b"one", 0));
        assert!(consumer.is_empty());
        producer.publish();
        assert!(!consumer.is_empty());
        assert!(consumer.next().is_some());
        assert!(consumer.is_empty());
    }

    #[test]
    fn places_of_another_ring_are_not_lent_if_they_reach_past_what_was_taken_or_past_the_end() {
        let (mut producer, mut large) = pair(Memory::leaked(2048).unwrap());
        for length in [8, 16, 912, 100] {
            assert!(producer.push(LABEL, &vec![0; length], 0));
        }
        producer.publish();
        let mut places = Vec::new();
        while large.next().is_some() {
            places.push(large.place());
        }
        // Its payloads are 16 bytes from 40 on, and 100 bytes from 1000 on.
        for (start, lengths, place) in [(0, [8, 8], places[1]), (512, [496, 496], places[3])] {
            let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
            producer.jump(start);
            consumer.jump(start);
            for length in lengths {
                assert!(producer.push(LABEL, &vec![0; length], 0));
            }
            producer.publish();
            while consumer.next().is_some() {}
            assert!(catch_unwind(AssertUnwindSafe(|| consumer.lend(place).len())).is_err());
        }
    }

    #[test]
    fn records_published_after_a_look_wait_for_the_next_look() {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        assert!(producer.push(LABEL, b"one", 0));
        producer.publish();
        consumer.look();
        assert!(producer.push(LABEL, b"two", 0));
        producer.publish();
        assert_eq!(consumer.next_seen().unwrap().payload, b"one");
        assert!(consumer.next_seen().is_none());
        consumer.look();
        assert_eq!(consumer.next_seen().unwrap().payload, b"two");
    }

    #[test]
    #[should_panic(expected = "was released")]
    fn lending_a_released_payload_panics() {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        assert!(producer.push(LABEL, b"gone", 0));
        producer.publish();
        consumer.next();
        let place = consumer.place();
        consumer.release();
        let _ = consumer.lend(place);
    }
}
