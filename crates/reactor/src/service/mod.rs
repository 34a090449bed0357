//! What the listeners of one server share: how its connections are balanced, and how many it may have.
//!
//! `place.rs` is a connection's place among them, `waiting.rs` wakes the threads that wait for a place, or
//! for what a close frees.

#[cfg(all(test, loom))]
mod loom_service;
mod place;
mod waiting;

pub(crate) use place::Place;

use crate::balancing::Balance;
use crate::poll::Alarm;
use crate::sync::{AtomicUsize, fence};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use waiting::{AcceptorList, Signal};

/// What the listeners of one server share.
#[derive(Debug)]
pub struct Service {
    pub(crate) balance: Balance,
    max: usize,
    refuse: bool,
    /// Open connections, and places that are reserved while a connection is accepted.
    open: AtomicUsize,
    /// Comes when a place of a full server is free.
    places: Signal,
    /// Comes when a connection closes, which may free descriptors or memory.
    closes: Signal,
    /// The threads that accept for this server.
    acceptors: AcceptorList,
}

/// What an acceptor waits for, and how often that had come when it began to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Awaited {
    Place(usize),
    Close(usize),
}

impl Service {
    /// Makes a server whose connections are spread by `balance`. At `max` open connections it stops
    /// accepting, or with `refuse` accepts and closes them; 0 is no limit.
    #[must_use]
    pub fn new(balance: Balance, max: usize, refuse: bool) -> Arc<Self> {
        Arc::new(Self {
            balance,
            max: if max == 0 { usize::MAX } else { max },
            refuse,
            open: AtomicUsize::new(0),
            places: Signal::default(),
            closes: Signal::default(),
            acceptors: AcceptorList::default(),
        })
    }

    /// Adds a thread that accepts for this server, to be woken when it may go on.
    pub(crate) fn accepted_by(&self, alarm: &Arc<Alarm>) {
        self.acceptors.add(alarm);
    }

    /// Reserves a place for a connection; `None` if all are taken.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Place> {
        let more = |open: usize| (open < self.max).then_some(open + 1);
        let reserved = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        reserved.is_ok().then(|| Place::new(self))
    }

    /// Counts a connection as closed, and wakes the threads that wait for that.
    fn free(&self) {
        self.leave_place();
        // Not in one expression: both have to end.
        let (place, close) = (self.places.end(), self.closes.end());
        if place || close {
            self.acceptors.ring();
        }
    }

    /// Counts a place as free that no connection had.
    fn give_back(&self) {
        self.leave_place();
        if self.places.end() {
            self.acceptors.ring();
        }
    }

    fn leave_place(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        // ORDER: the count before the flag; `await_place` has the flag before the count.
        fence(Ordering::SeqCst);
    }

    /// Whether connections are accepted and closed while the server is full.
    pub(crate) fn refuses(&self) -> bool {
        self.refuse
    }

    /// Asks to be woken when there is a place; the caller tries once more after this.
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

#[cfg(test)]
mod tests {
    use super::Service;
    use crate::balancing::Balance;

    #[test]
    fn a_place_is_reserved_once_and_free_again_when_given_back() {
        let service = Service::new(Balance::RoundRobin, 2, false);
        let (first, _second) = (service.reserve().unwrap(), service.reserve().unwrap());
        assert!(service.reserve().is_none());
        first.give_back();
        let _third = service.reserve().unwrap();
        assert!(service.reserve().is_none());
    }

    #[test]
    fn a_waiting_thread_is_served_even_if_another_begins_to_wait_later() {
        let service = Service::new(Balance::RoundRobin, 1, false);
        let open = service.reserve().unwrap();
        let first = service.await_place();
        assert!(!service.has_come(first));
        drop(open);
        let second = service.await_place();
        assert!(service.has_come(first));
        assert!(!service.has_come(second));
    }

    #[test]
    fn giving_back_a_place_does_not_count_as_a_close() {
        let service = Service::new(Balance::RoundRobin, 1, false);
        let unused = service.reserve().unwrap();
        let (place, close) = (service.await_place(), service.await_close());
        unused.give_back();
        assert!(service.has_come(place));
        assert!(!service.has_come(close));
        drop(service.reserve().unwrap());
        assert!(service.has_come(close));
    }
}
