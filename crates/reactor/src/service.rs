//! What the listeners of one server share: its balance, and its limit of connections.

use crate::balance::Balance;
use crate::shared::Alarm;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};

/// What the listeners of one server share.
#[derive(Debug)]
pub struct Service {
    pub(crate) balance: Balance,
    max: usize,
    refuse: bool,
    /// Connections, and places that are held for one while it is accepted.
    open: AtomicUsize,
    /// For a place: the server is full.
    places: Wait,
    /// For what a close may free: descriptors, or memory.
    closes: Wait,
    /// Everyone who accepts for this server.
    accepting: Acceptors,
}

/// What an acceptor waits for, and the count of it when it began to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Awaited {
    Place(usize),
    Close(usize),
}

impl Service {
    /// A server whose connections are spread by `balance`. At `max` open connections it stops
    /// accepting, or with `refuse` accepts and closes; 0 is no limit.
    #[must_use]
    pub fn new(balance: Balance, max: usize, refuse: bool) -> Arc<Self> {
        Arc::new(Self {
            balance,
            max: if max == 0 { usize::MAX } else { max },
            refuse,
            open: AtomicUsize::new(0),
            places: Wait::default(),
            closes: Wait::default(),
            accepting: Acceptors::default(),
        })
    }

    pub(crate) fn accepted_by(&self, alarm: &Arc<Alarm>) {
        self.accepting.add(alarm);
    }

    /// Takes a place for a connection; false if all are taken.
    pub(crate) fn reserve(&self) -> bool {
        let more = |open: usize| (open < self.max).then_some(open + 1);
        self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// A connection is gone: whoever waits to accept may try again.
    pub(crate) fn release(&self) {
        self.leave_place();
        // Not in one expression: both are to be woken.
        let (place, close) = (self.places.end(), self.closes.end());
        if place || close {
            self.accepting.ring();
        }
    }

    /// A place was taken, and there was no connection for it. Who waits for what a close frees need
    /// not know: two of them would wake each other for ever.
    pub(crate) fn give_back(&self) {
        self.leave_place();
        if self.places.end() {
            self.accepting.ring();
        }
    }

    fn leave_place(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        // ORDER: the count before the flag, against the flag before the count in `await_place`.
        fence(Ordering::SeqCst);
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuse
    }

    /// Asks to be woken when there is a place; the caller then tries once more.
    pub(crate) fn await_place(&self) -> Awaited {
        Awaited::Place(self.places.begin())
    }

    /// Asks to be woken at the next close.
    pub(crate) fn await_close(&self) -> Awaited {
        Awaited::Close(self.closes.begin())
    }

    /// Whether what is waited for has come.
    pub(crate) fn has_come(&self, awaited: Awaited) -> bool {
        match awaited {
            Awaited::Place(count) => self.places.count() != count,
            Awaited::Close(count) => self.closes.count() != count,
        }
    }
}

/// Several threads wait for one thing; each remembers how often it had come when it began to, so that
/// none is taken for served because another began to wait after it was woken.
#[derive(Debug, Default)]
struct Wait {
    is_awaited: AtomicBool,
    count: AtomicUsize,
}

impl Wait {
    fn begin(&self) -> usize {
        // ORDER: before the flag: if it comes in between, the count differs.
        let count = self.count();
        self.is_awaited.store(true, Ordering::Release);
        // ORDER: see `Service::leave_place`.
        fence(Ordering::SeqCst);
        count
    }

    /// It has come; true if somebody has to be woken. Called after a fence.
    fn end(&self) -> bool {
        if !self.is_awaited.load(Ordering::Relaxed)
            || !self.is_awaited.swap(false, Ordering::AcqRel)
        {
            return false;
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        true
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

/// A list that only grows, by one for each thread that accepts: nobody ever waits for it.
#[derive(Debug, Default)]
struct Acceptors {
    first: OnceLock<Box<Link>>,
}

#[derive(Debug)]
struct Link {
    alarm: Arc<Alarm>,
    next: Acceptors,
}

impl Acceptors {
    fn add(&self, alarm: &Arc<Alarm>) {
        let mut at = self;
        loop {
            let link = at
                .first
                .get_or_init(|| Box::new(Link { alarm: alarm.clone(), next: Self::default() }));
            if Arc::ptr_eq(&link.alarm, alarm) {
                return;
            }
            at = &link.next;
        }
    }

    fn ring(&self) {
        let mut at = self;
        while let Some(link) = at.first.get() {
            link.alarm.ring();
            at = &link.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Service;
    use crate::balance::Balance;

    #[test]
    fn a_place_is_taken_before_it_is_filled_and_never_twice() {
        let service = Service::new(Balance::RoundRobin, 2, false);
        assert!(service.reserve() && service.reserve());
        assert!(!service.reserve());
        service.give_back();
        assert!(service.reserve());
        assert!(!service.reserve());
    }

    #[test]
    fn who_waits_is_served_whoever_begins_to_wait_behind() {
        let service = Service::new(Balance::RoundRobin, 1, false);
        assert!(service.reserve());
        let first = service.await_place();
        assert!(!service.has_come(first));
        service.release();
        let second = service.await_place();
        assert!(service.has_come(first));
        assert!(!service.has_come(second));
    }

    #[test]
    fn a_place_that_is_given_back_is_no_close() {
        let service = Service::new(Balance::RoundRobin, 1, false);
        assert!(service.reserve());
        let (place, close) = (service.await_place(), service.await_close());
        service.give_back();
        assert!(service.has_come(place));
        assert!(!service.has_come(close));
        assert!(service.reserve());
        service.release();
        assert!(service.has_come(close));
    }
}
