//! The listening sockets that one thread accepts from.

use crate::accepting::{Accepting, Sink};
use crate::bound::Bound;
use millrace_sys::Duplicate;
use mio::{Registry, Token};
use std::io;
use std::time::Instant;

/// Tokens of listeners count down from here; those of connections never come near.
const LISTENERS: usize = usize::MAX - 1;

/// Listening sockets that one thread accepts from. Several may be of one listener.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    entries: Vec<Option<Accepting>>,
}

impl Listeners {
    pub(crate) fn add(&mut self, bound: Bound, registry: &Registry) -> io::Result<()> {
        let at = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        let accepting = Accepting::start(bound, registry, Token(LISTENERS - at))?;
        if at == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[at] = Some(accepting);
        Ok(())
    }

    /// Notes an event; false if it is not a listener's.
    pub(crate) fn note(&mut self, token: Token) -> bool {
        let at = LISTENERS.wrapping_sub(token.0);
        match self.entries.get_mut(at) {
            Some(entry) => {
                if let Some(accepting) = entry {
                    accepting.note_event();
                }
                true
            }
            None => false,
        }
    }

    /// Accepts from all that are due; the numbers of the listeners that are closed by now.
    pub(crate) fn sweep(
        &mut self,
        now: Instant,
        registry: &Registry,
        sink: &mut dyn Sink,
    ) -> Vec<u32> {
        let mut through = Vec::new();
        for entry in &mut self.entries {
            if let Some(accepting) = entry
                && accepting.is_due(now)
                && accepting.sweep(now, sink)
            {
                accepting.deregister(registry);
                through.push(accepting.id());
                *entry = None;
            }
        }
        through.sort_unstable();
        through.dedup();
        through.retain(|id| self.of(*id).next().is_none());
        through
    }

    /// Whether any is: left in the middle of a burst, or waiting for a close that has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.entries.iter().flatten().any(|accepting| accepting.is_due(now))
    }

    /// Begins the last sweep of a listener; false if it is not here.
    pub(crate) fn close(&mut self, id: u32) -> bool {
        self.of(id).map(Accepting::close).count() > 0
    }

    /// Accepts nothing more of a listener, or goes on.
    pub(crate) fn pause(&mut self, id: u32, is_paused: bool) -> io::Result<u32> {
        let count = self.of(id).map(|accepting| accepting.pause(is_paused)).count();
        if count == 0 { Err(gone()) } else { Ok(0) }
    }

    /// Another descriptor of a listener's socket.
    pub(crate) fn duplicate(&mut self, id: u32) -> io::Result<Duplicate> {
        self.of(id).next().ok_or_else(gone)?.duplicate()
    }

    fn of(&mut self, id: u32) -> impl Iterator<Item = &mut Accepting> {
        self.entries.iter_mut().flatten().filter(move |accepting| accepting.id() == id)
    }

    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.entries.iter().flatten().filter_map(Accepting::retry_at).min()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// It is closed: its user is about to hear of it, or has.
fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
