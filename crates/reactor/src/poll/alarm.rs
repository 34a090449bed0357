//! Waking a thread that sleeps in a poll.

use super::Poll;
use super::key::WAKER;
use millrace_ring::Doorbell;
use mio::Waker;
use std::io;

/// Wakes the thread that sleeps in a poll, once for each time that it goes to sleep.
#[derive(Debug)]
pub(crate) struct Alarm {
    pub(crate) doorbell: Doorbell,
    waker: Waker,
}

impl Alarm {
    /// An alarm for the one thread that waits in this poll.
    pub(crate) fn new(poll: &Poll) -> io::Result<Self> {
        let waker = Waker::new(poll.poll.registry(), WAKER)?;
        Ok(Self { doorbell: Doorbell::new(), waker })
    }

    /// Wakes the thread if it sleeps.
    pub(crate) fn ring(&self) {
        if self.doorbell.ring() {
            self.wake();
        }
    }

    /// Wakes the thread if it sleeps and waits for room, and `enough` says that there is enough.
    pub(crate) fn ring_for_room(&self, enough: impl FnOnce() -> bool) {
        if self.doorbell.ring_for_room(enough) {
            self.wake();
        }
    }

    fn wake(&self) {
        // Waking fails only if the kernel has no memory; the next ring tries again.
        if self.waker.wake().is_err() {
            self.doorbell.rest(false);
        }
    }
}
