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
    open: AtomicUsize,
    /// Accepting waits for a connection of this server to close.
    blocked: AtomicBool,
    /// Everyone who accepts for this server.
    accepting: Acceptors,
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
            blocked: AtomicBool::new(false),
            accepting: Acceptors::default(),
        })
    }

    pub(crate) fn accepted_by(&self, alarm: &Arc<Alarm>) {
        self.accepting.add(alarm);
    }

    /// A connection is gone: whoever waits to accept may try again.
    pub(crate) fn release(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        // ORDER: the count before the flag, against the flag before the count in `block`.
        fence(Ordering::SeqCst);
        if self.blocked.swap(false, Ordering::AcqRel) {
            self.accepting.ring();
        }
    }

    /// Counts a connection in, unless it is to be refused.
    pub(crate) fn admit(&self) -> bool {
        if self.is_full() {
            return false;
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        true
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuse
    }

    /// Whether accepting waits for a close that has not come.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.load(Ordering::Acquire) >= self.max
    }

    /// Asks to be woken at the next close; true if there is still reason to wait.
    pub(crate) fn block(&self) -> bool {
        self.blocked.store(true, Ordering::Release);
        // ORDER: see `release`.
        fence(Ordering::SeqCst);
        self.is_full()
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
