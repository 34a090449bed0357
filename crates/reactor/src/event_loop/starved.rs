//! Connections whose output the kernel had no memory for (`ENOBUFS`): no event tells when it has some again.
//!
//! Their output waits, as behind a full socket buffer, and the loop tries again by time.

use super::EventLoop;
use std::time::{Duration, Instant};

/// The time between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The connections of a loop that wait for memory of the kernel.
#[derive(Debug, Default)]
pub(super) struct Starved {
    /// Slots and generations. A connection may be here twice, and may have closed.
    sockets: Vec<(u32, u32)>,
    /// When to try again; `None` if no connection waits.
    retry: Option<Instant>,
}

impl Starved {
    pub(super) fn add(&mut self, slot: u32, generation: u32, now: Instant) {
        self.sockets.push((slot, generation));
        self.retry.get_or_insert(now + PAUSE);
    }

    /// When to try again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retry
    }
}

impl EventLoop {
    /// Tries again with the connections that wait, if it is time.
    pub(super) fn send_again(&mut self) {
        if self.starved.retry.is_none_or(|at| at > self.inbound.now) {
            return;
        }
        self.starved.retry = None;
        for (slot, generation) in std::mem::take(&mut self.starved.sockets) {
            let Some(connection) = self.connections.find(slot, generation) else { continue };
            connection.transport.expect_room();
            self.go_on(slot);
        }
    }
}
