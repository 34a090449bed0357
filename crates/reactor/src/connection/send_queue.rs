//! The elastic queue of bytes that a connection has to send and the kernel refused.

use crate::segments::{SEGMENT, Segment, Segments};
use std::collections::VecDeque;
use std::io::IoSlice;

/// The smallest segment, so that many small writes share one.
const MIN_SEGMENT: usize = 4 << 10;
/// Segments in one vectored write: 1 MiB, which is what a connection may send from its queue in one turn.
const VECTORS: usize = 16;

/// Bytes in the order in which they are to be sent, in segments of 4 to 64 KiB.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    segments: VecDeque<Segment>,
    /// How much of the first segment is sent.
    sent: usize,
    length: usize,
}

impl SendQueue {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn append(&mut self, mut bytes: &[u8], segments: &mut Segments) {
        self.length += bytes.len();
        if let Some(last) = self.segments.back_mut() {
            bytes = last.append(bytes);
        }
        // As much again as is waiting, so that a long queue grows in few steps.
        let room = self.length.clamp(MIN_SEGMENT, SEGMENT);
        while !bytes.is_empty() {
            let mut segment = segments.take(room);
            bytes = segment.append(bytes);
            self.segments.push_back(segment);
        }
    }

    /// Lists the front of the queue, for one vectored write.
    pub(crate) fn vectors<'a>(&'a self, into: &mut Vec<IoSlice<'a>>) {
        let mut skip = self.sent;
        for segment in self.segments.iter().take(VECTORS) {
            into.push(IoSlice::new(&segment.bytes()[skip..]));
            skip = 0;
        }
    }

    /// Removes what was sent.
    pub(crate) fn advance(&mut self, mut count: usize, segments: &mut Segments) {
        self.length -= count;
        while count > 0 {
            let left = self.segments[0].bytes().len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            if let Some(sent) = self.segments.pop_front() {
                segments.give_back(sent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SEGMENT, Segments, SendQueue};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bytes_come_out_in_the_order_in_which_they_went_in(steps in proptest::collection::vec((0..SEGMENT * 2, 0..SEGMENT * 2), 1..60)) {
            let (mut queue, mut segments) = (SendQueue::default(), Segments::default());
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (append, advance) in steps {
                let bytes: Vec<u8> = (0..append).map(|_| { next = next.wrapping_add(7); next }).collect();
                queue.append(&bytes, &mut segments);
                model.extend(bytes);
                let mut vectors = Vec::new();
                queue.vectors(&mut vectors);
                let front: Vec<u8> = vectors.iter().flat_map(|v| v.iter().copied()).collect();
                prop_assert!(front.iter().eq(model.iter().take(front.len())));
                let count = advance.min(front.len());
                queue.advance(count, &mut segments);
                model.drain(..count);
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
        }
    }

    #[test]
    fn tiny_writes_share_a_segment() {
        let (mut queue, mut segments) = (SendQueue::default(), Segments::default());
        for _ in 0..4096 {
            queue.append(b"x", &mut segments);
        }
        assert_eq!(queue.segments.len(), 1);
    }
}
