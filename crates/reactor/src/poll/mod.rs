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
#[cfg(test)]
pub(crate) use registrar::NO_ROOM;
pub(crate) use registrar::{Interest, Registrar};

use std::io;
use std::time::Duration;

/// What a thread sleeps in until a socket has an event.
#[derive(Debug)]
pub(crate) struct Poll {
    poll: mio::Poll,
    /// How many sockets are refused, as if the kernel had no room for them.
    #[cfg(test)]
    pub(crate) refusals: std::cell::Cell<u32>,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        Ok(Self {
            poll,
            #[cfg(test)]
            refusals: std::cell::Cell::new(0),
        })
    }

    /// Waits for events, no longer than `timeout`.
    pub(crate) fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) {
        // EINTR is as good as no event; a valid poll returns no other error.
        if self.poll.poll(events.raw(), timeout).is_err() {
            events.clear();
        }
    }

    /// Adds sockets to this poll, and removes them.
    pub(crate) fn registrar(&self) -> Registrar<'_> {
        Registrar::new(
            self.poll.registry(),
            #[cfg(test)]
            &self.refusals,
        )
    }

    /// The epoll or kqueue descriptor, which is readable while there are events. `None` on systems
    /// without one.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        millrace_sys::poll_descriptor(&self.poll)
    }
}
