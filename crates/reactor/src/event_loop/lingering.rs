//! Sockets that stay for their last replies after the user has heard of the end.

use super::EventLoop;
use crate::notices::Cause;
use crate::run_queue::Next;
use std::collections::VecDeque;

/// Sockets that may linger in one loop. Whoever opens connections only to break them cannot fill the
/// descriptors with those.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct LingeringSockets {
    /// Slots and generations, the oldest first; some of them have closed already.
    queue: VecDeque<(u32, u32)>,
    /// Those that have not.
    count: usize,
}

impl EventLoop {
    /// Counts a socket that begins to linger.
    pub(super) fn begin_lingering(&mut self, slot: u32, generation: u32) {
        self.lingering.count += 1;
        self.lingering.queue.push_back((slot, generation));
        self.publish_lingering();
    }

    /// Counts a socket that lingered and has closed.
    pub(super) fn end_lingering(&mut self) {
        self.lingering.count -= 1;
        while let Some(&(slot, generation)) = self.lingering.queue.front()
            && !self.connections.find(slot, generation).is_some_and(|each| each.is_lingering())
        {
            self.lingering.queue.pop_front();
        }
        self.publish_lingering();
    }

    fn publish_lingering(&self) {
        self.inbound.stats.set_last_replies(self.lingering.count as u64);
    }

    /// Closes the oldest if there are too many.
    pub(super) fn bound_lingering(&mut self) {
        while self.lingering.count > MOST {
            let Some((slot, generation)) = self.lingering.queue.pop_front() else { return };
            if let Some(connection) = self.connections.find(slot, generation)
                && connection.is_lingering()
            {
                self.schedule(slot, Next::Close(Cause::NONE));
            }
        }
    }
}
