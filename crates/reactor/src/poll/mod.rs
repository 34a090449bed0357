//! The only module that knows mio's polls, registries, tokens and events.
//!
//! A [`Poll`] waits for events, a [`Registrar`] adds sockets to it, a [`Key`] names the socket that an
//! [`Event`] is about, [`Readiness`] remembers what events said, and an [`Alarm`] wakes the thread that
//! waits.

mod alarm;
mod event;
mod key;
mod readiness;
mod registrar;

pub(crate) use alarm::Alarm;
pub(crate) use event::{Event, Events};
pub(crate) use key::{Key, MAX_SLOTS};
pub(crate) use readiness::Readiness;
pub(crate) use registrar::{Interest, Registrar};

use std::io;
use std::time::Duration;

/// What a thread sleeps in until a socket has an event.
#[derive(Debug)]
pub(crate) struct Poll(mio::Poll);

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        mio::Poll::new().map(Self)
    }

    /// Waits for events, no longer than `timeout`.
    pub(crate) fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) {
        // EINTR is as good as no event; a valid poll returns no other error.
        if self.0.poll(events.raw(), timeout).is_err() {
            events.clear();
        }
    }

    /// Adds sockets to this poll, and removes them.
    pub(crate) fn registrar(&self) -> Registrar<'_> {
        Registrar::new(self.0.registry())
    }

    /// The epoll or kqueue descriptor, which is readable while there are events. `None` on systems
    /// without one.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        millrace_sys::poll_descriptor(&self.0)
    }
}
