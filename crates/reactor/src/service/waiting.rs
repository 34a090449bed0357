//! How threads that accept wait for a service, without locks.

use crate::poll::Alarm;
use crate::sync::{AtomicBool, AtomicUsize, fence};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// Something that several threads wait for. Each remembers how often it had come when the thread began to
/// wait, so that no thread misses it because another began to wait after it came.
#[derive(Debug, Default)]
pub(super) struct Signal {
    is_awaited: AtomicBool,
    count: AtomicUsize,
}

impl Signal {
    /// Begins to wait; returns the count to compare with.
    pub(super) fn begin(&self) -> usize {
        // ORDER: before the flag, so that the count differs if the signal comes in between.
        let count = self.count();
        self.is_awaited.store(true, Ordering::Release);
        // ORDER: pairs with the fence in `Service::leave_place`.
        fence(Ordering::SeqCst);
        count
    }

    /// Notes that it has come; true if a thread has to be woken. Called after a fence.
    pub(super) fn end(&self) -> bool {
        if !self.is_awaited.load(Ordering::Relaxed)
            || !self.is_awaited.swap(false, Ordering::AcqRel)
        {
            return false;
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// How often it has come while a thread waited.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

/// The threads that accept for a server. The list only grows, by one entry for each thread, so it needs no lock.
#[derive(Debug, Default)]
pub(super) struct AcceptorList {
    first: OnceLock<Box<Link>>,
}

#[derive(Debug)]
struct Link {
    alarm: Arc<Alarm>,
    next: AcceptorList,
}

impl AcceptorList {
    pub(super) fn add(&self, alarm: &Arc<Alarm>) {
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

    pub(super) fn ring(&self) {
        let mut at = self;
        while let Some(link) = at.first.get() {
            link.alarm.ring();
            at = &link.next;
        }
    }
}
