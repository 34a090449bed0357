//! Events: which socket they are about, and what they say.

use super::Key;

/// The events of one wait.
#[derive(Debug)]
pub(crate) struct Events(mio::Events);

impl Events {
    /// Room for that many events.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(mio::Events::with_capacity(capacity))
    }

    /// No events and no room for any, without an allocation.
    pub(crate) fn none() -> Self {
        Self::with_capacity(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        self.0.iter().map(Event)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn raw(&mut self) -> &mut mio::Events {
        &mut self.0
    }
}

/// What the kernel says about one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a>(&'a mio::event::Event);

impl Event<'_> {
    /// What the event is about.
    pub(crate) fn key(self) -> Key {
        Key::of_token(self.0.token())
    }

    pub(crate) fn is_readable(self) -> bool {
        self.0.is_readable()
    }

    pub(crate) fn is_writable(self) -> bool {
        self.0.is_writable()
    }

    /// The peer sent FIN, or the connection is gone.
    pub(crate) fn is_read_closed(self) -> bool {
        self.0.is_read_closed()
    }

    pub(crate) fn is_write_closed(self) -> bool {
        self.0.is_write_closed()
    }

    /// There is urgent data that was not read.
    pub(crate) fn is_urgent(self) -> bool {
        self.0.is_priority()
    }

    pub(crate) fn is_error(self) -> bool {
        self.0.is_error()
    }
}
