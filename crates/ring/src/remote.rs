//! The ends of a ring that work in JavaScript: Rust keeps their positions and checks them.

use crate::indices::Indices;
use std::fmt;
use std::sync::Arc;

/// A position that no correct peer would report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionError {
    /// What was reported.
    pub position: u32,
}

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ring position {} is out of range", self.position)
    }
}

impl std::error::Error for PositionError {}

/// Stands for a consumer in JavaScript.
#[derive(Debug)]
pub struct RemoteConsumer {
    indices: Arc<Indices>,
    capacity: u32,
    head: u32,
}

impl RemoteConsumer {
    pub(crate) fn new(indices: Arc<Indices>, capacity: u32) -> Self {
        Self { indices, capacity, head: 0 }
    }

    /// Up to where there are records to read.
    #[must_use]
    pub fn tail(&self) -> u32 {
        self.indices.tail()
    }

    /// True if at least half of the ring is free.
    #[must_use]
    pub fn is_half_free(&self) -> bool {
        self.tail().wrapping_sub(self.head) <= self.capacity / 2
    }

    /// Everything before `head` has been read; true if that is news.
    ///
    /// # Errors
    /// [`PositionError`] if `head` is not between the last one and the tail.
    pub fn release(&mut self, head: u32) -> Result<bool, PositionError> {
        if head == self.head {
            return Ok(false);
        }
        if head.wrapping_sub(self.head) > self.tail().wrapping_sub(self.head) {
            return Err(PositionError { position: head });
        }
        self.head = head;
        self.indices.set_head(head);
        Ok(true)
    }
}

/// Stands for a producer in JavaScript.
#[derive(Debug)]
pub struct RemoteProducer {
    indices: Arc<Indices>,
    capacity: u32,
    tail: u32,
}

impl RemoteProducer {
    pub(crate) fn new(indices: Arc<Indices>, capacity: u32) -> Self {
        Self { indices, capacity, tail: 0 }
    }

    /// Up to where the loop has done with the records.
    #[must_use]
    pub fn head(&self) -> u32 {
        self.indices.head()
    }

    /// Everything before `tail` is written and may be read; true if that is news.
    ///
    /// # Errors
    /// [`PositionError`] if `tail` goes back, or further than there is room.
    pub fn publish(&mut self, tail: u32) -> Result<bool, PositionError> {
        if tail == self.tail {
            return Ok(false);
        }
        let used = tail.wrapping_sub(self.head());
        if used > self.capacity || used < self.tail.wrapping_sub(self.head()) {
            return Err(PositionError { position: tail });
        }
        self.tail = tail;
        self.indices.set_tail(tail);
        Ok(true)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::record::{HEADER, Label};
    use crate::{Memory, inbound, outbound};

    const LABEL: Label = Label { slot: 1, generation: 2, kind: 3 };

    #[test]
    fn a_remote_consumer_cannot_release_more_than_was_published() {
        let (mut producer, mut remote) = inbound(Memory::leaked(1024).unwrap());
        assert!(producer.push(LABEL, b"abc", 0));
        assert_eq!(remote.tail(), 0, "not published yet");
        producer.publish();
        assert_eq!(remote.tail(), HEADER + 8);
        assert!(remote.release(HEADER + 16).is_err());
        assert_eq!(remote.release(HEADER + 8), Ok(true));
        assert_eq!(remote.release(HEADER + 8), Ok(false));
        assert!(remote.release(0).is_err(), "never back");
    }

    #[test]
    fn a_remote_producer_cannot_publish_more_than_the_ring_holds() {
        let (mut remote, mut consumer) = outbound(Memory::leaked(1024).unwrap());
        assert!(remote.publish(1032).is_err());
        assert_eq!(remote.publish(HEADER), Ok(true));
        assert!(remote.publish(8).is_err(), "never back");
        assert!(consumer.next().is_some_and(|record| record.payload.is_empty()));
        assert_eq!(remote.head(), 0, "not released yet");
        assert!(consumer.release());
        assert_eq!(remote.head(), HEADER);
    }
}
