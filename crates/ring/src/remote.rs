//! Ends of a ring that are in JavaScript: Rust keeps their positions, and checks them.

use crate::indices::Indices;
use std::fmt;
use std::sync::Arc;

/// A position that no correct end of a ring reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionError {
    /// The reported position.
    pub position: u32,
}

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ring position {} is out of range", self.position)
    }
}

impl std::error::Error for PositionError {}

/// Stands for the consumer in JavaScript.
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

    /// The position up to which there are records to read.
    #[must_use]
    pub fn tail(&self) -> u32 {
        self.indices.tail()
    }

    /// True if at least half of the ring is free.
    #[must_use]
    pub fn is_half_free(&self) -> bool {
        self.tail().wrapping_sub(self.head) <= self.capacity / 2
    }

    /// Notes that JavaScript has read everything before `head`; true if `head` has moved.
    ///
    /// # Errors
    /// [`PositionError`] if `head` is not between the last head and the tail.
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

/// Stands for the producer in JavaScript.
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

    /// The position up to which the loop has taken the records.
    #[must_use]
    pub fn head(&self) -> u32 {
        self.indices.head()
    }

    /// Notes that JavaScript has written everything before `tail`; true if `tail` has moved.
    ///
    /// # Errors
    /// [`PositionError`] if `tail` moved back, or further than there is room.
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

    #[test]
    fn a_remote_consumer_knows_whether_half_of_its_ring_is_free() {
        let (mut producer, mut remote) = inbound(Memory::leaked(1024).unwrap());
        assert!(remote.is_half_free());
        assert!(producer.push(LABEL, &[0; 512 - HEADER as usize], 0));
        producer.publish();
        assert!(remote.is_half_free(), "just so");
        assert!(producer.push(LABEL, b"", 0));
        producer.publish();
        assert!(!remote.is_half_free());
        assert_eq!(remote.release(512), Ok(true));
        assert!(remote.is_half_free());
    }

    #[test]
    fn a_remote_producer_may_publish_a_whole_ring() {
        let (mut remote, _consumer) = outbound(Memory::leaked(1024).unwrap());
        assert_eq!(remote.publish(1024), Ok(true));
        let error = remote.publish(1032).unwrap_err();
        assert!(error.to_string().contains("1032"));
    }
}
