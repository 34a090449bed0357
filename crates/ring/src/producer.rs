//! The end of a ring that fills it.

use crate::indices::Indices;
use crate::memory::Memory;
use crate::record::{self, HEADER, Label, SKIP};
use std::sync::Arc;

/// Fills a ring: reserve, write, commit, and publish once for each batch.
///
/// A ring has one producer: it can move to another thread, but it cannot be shared or cloned.
#[derive(Debug)]
pub struct Producer {
    memory: Memory,
    indices: Arc<Indices>,
    /// Where the next record goes.
    tail: u32,
    /// Up to where the consumer may read.
    published: u32,
    /// The consumer's position at the last look: a push reads the consumer's cache line only if the ring
    /// seems full.
    head: u32,
}

impl Producer {
    pub(crate) fn new(memory: Memory, indices: Arc<Indices>) -> Self {
        Self { memory, indices, tail: 0, published: 0, head: 0 }
    }

    /// The ring's size in bytes.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.memory.capacity()
    }

    /// The position at which the next record will start.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.tail
    }

    /// True once the consumer has released everything before `position`, however long ago.
    pub fn is_consumed(&mut self, position: u32) -> bool {
        // A position that is not consumed is between the head and the tail. The sign of its distance to
        // the head does not tell that: a position 2 GiB old would seem to be ahead. A position 4 GiB old
        // may seem to be between them, but only until the ring is empty.
        let tail = self.tail;
        let is_behind =
            |head: u32| !(1..=tail.wrapping_sub(head)).contains(&position.wrapping_sub(head));
        if is_behind(self.head) {
            return true;
        }
        self.head = self.indices.head();
        is_behind(self.head)
    }

    /// Free bytes at this moment, before headers and skips.
    pub fn free(&mut self) -> u32 {
        self.head = self.indices.head();
        self.capacity() - self.tail.wrapping_sub(self.head)
    }

    /// True if there are records that are committed and not published.
    #[must_use]
    pub fn has_unpublished(&self) -> bool {
        self.published != self.tail
    }

    /// Reserves room for a payload of at least `min` and at most `want` bytes, while `leave` bytes of the
    /// ring stay free for records that must not wait. `None` if there is not enough room.
    ///
    /// The ring does not change before [`Reservation::commit`].
    pub fn reserve(&mut self, min: u32, want: u32, leave: u32) -> Option<Reservation<'_>> {
        debug_assert!(min <= want);
        let (start, room) = self.place(min, leave)?;
        Some(Reservation { start, length: room.min(want), producer: self })
    }

    /// Pushes one whole record; false if it does not fit beside `leave` free bytes.
    #[must_use]
    pub fn push(&mut self, label: Label, payload: &[u8], leave: u32) -> bool {
        let length = payload.len() as u32;
        match self.reserve(length, length, leave) {
            Some(mut reservation) => {
                reservation.bytes().copy_from_slice(payload);
                reservation.commit(label, length);
                true
            }
            None => false,
        }
    }

    /// Makes all committed records visible to the consumer; true if there were any.
    pub fn publish(&mut self) -> bool {
        if !self.has_unpublished() {
            return false;
        }
        self.published = self.tail;
        self.indices.set_tail(self.tail);
        true
    }

    /// Drops the records that are committed and not published, which a panic may have left incomplete.
    pub fn discard(&mut self) {
        self.tail = self.published;
    }

    /// Finds where a record with a payload of `min` bytes can start, and how long the payload may be there.
    fn place(&mut self, min: u32, leave: u32) -> Option<(u32, u32)> {
        // First with the head as last seen; only if that is not enough, with the head as it is now.
        self.place_within(self.head, min, leave).or_else(|| {
            let head = self.indices.head();
            if head == self.head {
                return None;
            }
            self.head = head;
            self.place_within(head, min, leave)
        })
    }

    fn place_within(&self, head: u32, min: u32, leave: u32) -> Option<(u32, u32)> {
        let capacity = self.capacity();
        let free = (capacity - self.tail.wrapping_sub(head)).checked_sub(leave)?;
        let to_end = capacity - self.memory.offset(self.tail);
        let need = record::size(min);
        let (start, room) = if need <= to_end {
            (self.tail, free.min(to_end))
        } else {
            // The end of the ring is too short: it is skipped, and counts as used.
            (self.tail.wrapping_add(to_end), free.checked_sub(to_end)?.min(capacity))
        };
        // Records start at multiples of 8, so the room for a payload is a multiple of 8, too.
        (need <= room).then(|| (start, (room - HEADER) & !7))
    }
}

/// Room in the ring for one payload. Dropping it without a commit leaves the ring as it was.
#[derive(Debug)]
pub struct Reservation<'a> {
    producer: &'a mut Producer,
    start: u32,
    length: u32,
}

impl Reservation<'_> {
    /// The bytes of the payload, to be filled. What they hold before has no meaning.
    pub fn bytes(&mut self) -> &mut [u8] {
        let offset = self.producer.memory.offset(self.start) + HEADER;
        // SAFETY: `place` found this range free and inside the memory; it is unpublished, and the
        // slice borrows the reservation, which borrows the only producer.
        unsafe { self.producer.memory.write(offset, self.length) }
    }

    /// Makes a record of the first `length` bytes of the payload.
    ///
    /// # Panics
    /// If `length` is more than was reserved.
    pub fn commit(self, label: Label, length: u32) {
        assert!(length <= self.length, "committed {length} of {} reserved bytes", self.length);
        let Self { producer, start, .. } = self;
        if start != producer.tail {
            let skip = producer.memory.offset(producer.tail);
            // SAFETY: the skipped rest of the ring is free, at least one word long (records start
            // at multiples of 8), and no slice over it exists.
            let word = unsafe { producer.memory.write(skip, 4) };
            word.copy_from_slice(&SKIP.to_ne_bytes());
        }
        let offset = producer.memory.offset(start);
        // SAFETY: the header precedes the reserved payload, in the same free range.
        let header = unsafe { producer.memory.write(offset, HEADER) };
        let words = [label.slot, label.generation, label.kind, length];
        for (bytes, word) in header.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        producer.tail = start.wrapping_add(record::size(length));
    }
}

#[cfg(all(test, not(loom)))]
impl Producer {
    /// Moves to another position, so that tests see positions wrap.
    pub(crate) fn jump(&mut self, position: u32) {
        (self.tail, self.published, self.head) = (position, position, position);
        self.indices.set_tail(position);
    }

    /// Publishes a position in the middle of a record, as a broken producer could.
    pub(crate) fn publish_at(&mut self, position: u32) {
        self.indices.set_tail(position);
    }
}
