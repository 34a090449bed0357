//! Pausing: when the input of a connection is not read.

use super::Connection;

/// What stops a connection from being read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pauses {
    /// The user paused it.
    pub(super) user: bool,
    /// The queued output is above the high-water mark.
    pub(super) output: bool,
}

impl Connection {
    /// Stops reading until the user resumes.
    pub(crate) fn pause(&mut self) {
        self.pauses.user = true;
    }

    pub(crate) fn resume(&mut self) {
        self.pauses.user = false;
    }

    /// Whether the input must not be read now.
    pub(super) fn is_paused(&self) -> bool {
        let is_held = self.pauses.output || self.pauses.user && !self.has_only_end_left();
        // What was received is still delivered after a failed write, and then the connection closes.
        is_held && self.broken.is_none()
    }

    /// The peer's FIN came and no data before it, so there is nothing that a pause holds back.
    fn has_only_end_left(&self) -> bool {
        self.rest.is_empty() && self.partial.is_none() && self.transport.has_only_end_left()
    }

    /// Neither here nor in the kernel is anything that was not delivered.
    pub(super) fn has_nothing_received(&self) -> bool {
        self.rest.is_empty()
            && self.partial.is_none()
            && !self.has_switch()
            && self.transport.unread() == 0
    }
}
