//! Sticky readiness: set by events, cleared only by what the kernel says.

use super::Event;

/// What the kernel is known to have for a socket. An edge that comes while nobody may read is kept here,
/// so that reading goes on later without another event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Readiness {
    /// There may be bytes, or an end.
    pub(crate) readable: bool,
    /// There may be room.
    pub(crate) writable: bool,
    /// The peer sent FIN, so a short read does not mean that nothing is left.
    pub(crate) read_closed: bool,
    /// The peer sent urgent data, at whose mark a read stops.
    pub(crate) urgent: bool,
    /// The socket has an error, which means the same for a short read.
    pub(crate) error: bool,
}

impl Readiness {
    /// Adds what an event says.
    pub(crate) fn note(&mut self, event: Event<'_>) {
        self.read_closed |= event.is_read_closed();
        self.error |= event.is_error();
        self.urgent |= event.is_urgent();
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Whether a read that returned less than it asked for has drained the socket.
    pub(crate) fn is_drained_by_short_read(self) -> bool {
        millrace_sys::SHORT_MEANS_DRAINED && !self.read_closed && !self.error && !self.urgent
    }
}
