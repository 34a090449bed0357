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
    /// How many times waking fails, as if the kernel had no memory.
    #[cfg(test)]
    refusals: std::sync::atomic::AtomicU32,
}

impl Alarm {
    /// An alarm for the one thread that waits in this poll.
    pub(crate) fn new(poll: &Poll) -> io::Result<Self> {
        let waker = Waker::new(poll.poll.registry(), WAKER)?;
        Ok(Self {
            doorbell: Doorbell::new(),
            waker,
            #[cfg(test)]
            refusals: Default::default(),
        })
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
        // Waking fails only if the kernel has no memory; the next ring tries again, also one for room.
        if self.try_to_wake().is_err() {
            self.doorbell.rest(true);
        }
    }

    fn try_to_wake(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.refuse() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.waker.wake()
    }
}

#[cfg(test)]
mod tests {
    use super::Alarm;
    use crate::poll::{Events, Key, Poll};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    impl Alarm {
        /// Whether waking fails this time.
        pub(super) fn refuse(&self) -> bool {
            let refusals = self.refusals.load(Ordering::Relaxed);
            self.refusals.store(refusals.saturating_sub(1), Ordering::Relaxed);
            refusals > 0
        }
    }

    fn is_woken(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(4);
        poll.wait(&mut events, Some(Duration::ZERO));
        events.iter().any(|event| event.key() == Key::Waker)
    }

    #[test]
    fn a_thread_that_could_not_be_woken_is_woken_by_the_next_ring() {
        for is_hungry in [false, true] {
            for rings_for_room in [false, true] {
                let mut poll = Poll::new().unwrap();
                let alarm = Alarm::new(&poll).unwrap();
                alarm.refusals.store(1, Ordering::Relaxed);
                alarm.doorbell.rest(is_hungry);
                alarm.ring();
                assert!(!is_woken(&mut poll));
                if rings_for_room {
                    alarm.ring_for_room(|| true)
                } else {
                    alarm.ring()
                }
                assert!(is_woken(&mut poll), "{is_hungry} {rings_for_room}");
            }
        }
    }
}
