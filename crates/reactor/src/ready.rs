//! Sticky readiness: set by events, cleared only by what the kernel says.

use mio::event::Event;

/// What the kernel is known to have for a connection. An edge that arrives while nobody may read is
/// kept here, so that reading goes on later without waiting for another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ready {
    /// There may be bytes, or an end.
    pub(crate) readable: bool,
    /// There may be room.
    pub(crate) writable: bool,
    /// The peer sent FIN: a short read is not the last.
    pub(crate) read_closed: bool,
    /// The socket has an error: likewise.
    pub(crate) error: bool,
}

impl Ready {
    pub(crate) fn note(&mut self, event: &Event) {
        self.read_closed |= event.is_read_closed();
        self.error |= event.is_error();
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// After a read shorter than asked for: whether that was all.
    pub(crate) fn drained(self) -> bool {
        millrace_sys::SHORT_MEANS_DRAINED && !self.read_closed && !self.error
    }
}
