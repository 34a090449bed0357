//! The listening sockets that one thread accepts from.

use super::{AcceptSink, BoundListener, Listener};
use crate::poll::{Key, Registrar};
use millrace_sys::Duplicate;
use std::io;
use std::time::Instant;

/// Listening sockets that one thread accepts from. Several may belong to one listener's number.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    entries: Vec<Option<Listener>>,
}

impl Listeners {
    pub(crate) fn add(&mut self, bound: BoundListener, registrar: Registrar<'_>) -> io::Result<()> {
        let at = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        let listener = Listener::start(bound, registrar, Key::Listener(at))?;
        if at == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[at] = Some(listener);
        Ok(())
    }

    /// Notes an event of the listener at that place.
    pub(crate) fn note_event(&mut self, at: usize) {
        if let Some(Some(listener)) = self.entries.get_mut(at) {
            listener.note_event();
        }
    }

    /// Accepts from every listener that is due. Returns the numbers of those that have closed.
    pub(crate) fn sweep(
        &mut self,
        now: Instant,
        registrar: Registrar<'_>,
        sink: &mut dyn AcceptSink,
    ) -> Vec<u32> {
        let mut closed = Vec::new();
        for entry in &mut self.entries {
            if let Some(listener) = entry
                && listener.is_due(now)
                && listener.sweep(now, sink)
            {
                listener.deregister(registrar);
                closed.push(listener.id());
                *entry = None;
            }
        }
        closed.sort_unstable();
        closed.dedup();
        closed.retain(|id| self.of(*id).next().is_none());
        closed
    }

    /// Whether any listener is due: stopped in the middle of a burst, or waiting for a close that has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.entries.iter().flatten().any(|listener| listener.is_due(now))
    }

    /// Whether any listener has its last sweep ahead.
    pub(crate) fn is_any_closing(&self) -> bool {
        self.entries.iter().flatten().any(Listener::is_closing)
    }

    /// Begins the last sweep of a listener; false if it is not here.
    pub(crate) fn close(&mut self, id: u32) -> bool {
        self.of(id).map(Listener::close).count() > 0
    }

    /// Accepts nothing more from a listener, or goes on.
    pub(crate) fn pause(&mut self, id: u32, is_paused: bool) -> io::Result<u32> {
        let count = self.of(id).map(|listener| listener.pause(is_paused)).count();
        if count == 0 { Err(gone()) } else { Ok(0) }
    }

    /// Makes another descriptor of a listener's socket.
    pub(crate) fn duplicate(&mut self, id: u32) -> io::Result<Duplicate> {
        self.of(id).next().ok_or_else(gone)?.duplicate()
    }

    fn of(&mut self, id: u32) -> impl Iterator<Item = &mut Listener> {
        self.entries.iter_mut().flatten().filter(move |listener| listener.id() == id)
    }

    /// When the first listener tries again to accept.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.entries.iter().flatten().filter_map(Listener::retry_at).min()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The listener is closed; its user was told, or is about to be.
fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
