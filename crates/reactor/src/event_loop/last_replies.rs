//! Sockets that stay for their last replies after the user has heard of the end.

use super::EventLoop;
use crate::notices::Cause;
use crate::run_queue::Next;
use std::collections::VecDeque;

/// Sockets that may stay in one loop. Whoever opens connections only to break them cannot fill the
/// descriptors with those.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct LastReplySockets {
    /// Slots and generations, the oldest first; some of them have closed already.
    queue: VecDeque<(u32, u32)>,
    /// Those that have not.
    count: usize,
}

impl EventLoop {
    /// Counts a socket that begins to stay.
    pub(super) fn begin_last_replies(&mut self, slot: u32, generation: u32) {
        self.last_replies.count += 1;
        self.last_replies.queue.push_back((slot, generation));
        self.publish_last_replies();
    }

    /// Counts a socket that stayed and has closed.
    pub(super) fn end_last_replies(&mut self) {
        self.last_replies.count -= 1;
        while let Some(&(slot, generation)) = self.last_replies.queue.front()
            && !self
                .connections
                .find(slot, generation)
                .is_some_and(|each| each.awaits_last_replies())
        {
            self.last_replies.queue.pop_front();
        }
        self.publish_last_replies();
    }

    fn publish_last_replies(&self) {
        self.inbound.stats.set_last_replies(self.last_replies.count as u64);
    }

    /// Closes the oldest if there are too many.
    pub(super) fn bound_last_replies(&mut self) {
        while self.last_replies.count > MOST {
            let Some((slot, generation)) = self.last_replies.queue.pop_front() else { return };
            if let Some(connection) = self.connections.find(slot, generation)
                && connection.awaits_last_replies()
            {
                self.schedule(slot, Next::Close(Cause::NONE));
            }
        }
    }
}
