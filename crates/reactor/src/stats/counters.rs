//! The totals of one loop: written by the loop, read by anyone.

use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count. Only its loop adds to it, so a load and a store are enough.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // ORDER: Relaxed, because no other memory depends on a count.
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A loop's counts, on cache lines that no other thread writes to.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    inner: CachePadded<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    opened: Counter,
    closed: Counter,
    received: Counter,
    sent: Counter,
    records_in: Counter,
    records_out: Counter,
    turns: Counter,
    proxy_refused: Counter,
}

/// A loop's counts since it started, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoopCounts {
    /// Connections opened.
    pub opened: u64,
    /// Connections closed. One that stays for its last replies is counted when its socket closes.
    pub closed: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes that the kernel took.
    pub sent: u64,
    /// Frames and chunks passed on to the user.
    pub records_in: u64,
    /// Writes and commands taken from the user.
    pub records_out: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Accepted connections that were refused for their PROXY header, and never opened.
    pub proxy_refused: u64,
}

macro_rules! count {
    ($($name:ident)*) => {
        impl Counters {
            $(pub(crate) fn $name(&self, count: u64) { self.inner.$name.add(count); })*

            pub(crate) fn totals(&self) -> LoopCounts {
                LoopCounts { $($name: self.inner.$name.get(),)* }
            }
        }
    };
}

count!(opened closed received sent records_in records_out turns proxy_refused);
