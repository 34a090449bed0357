//! Limits in time of a connection.
//!
//! A limit is a field of [`Deadlines`], a line in `next_deadline` and a line in `expire`.

use super::linger::Linger;
use super::{Connection, Output};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::{Clock, Deadline};
use millrace_ring::record::reason;

/// The limits in time that may be running.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Runs while the connection closes. Boxed, because most connections do not close now.
    linger: Option<Box<Linger>>,
}

impl Connection {
    /// When the first limit ends, at which `expire` is to be called. Asked whenever the connection did
    /// something.
    pub(crate) fn next_deadline(&mut self, clock: Clock) -> Option<Deadline> {
        if !self.transport.is_open() || !self.is_closing() {
            return None;
        }
        if self.deadlines.linger.is_none() {
            let linger = Linger::start(self.profile.options.linger, self.moved(), clock);
            self.deadlines.linger = Some(Box::new(linger));
        }
        self.deadlines.linger.as_ref().map(|linger| linger.next_look())
    }

    /// Nothing more is wanted of it but that its output arrives and its peer ends.
    fn is_closing(&self) -> bool {
        self.is_input_done && self.output != Output::Open
    }

    /// The bytes that count as progress while it closes, as far as this side knows of them. Once FIN is
    /// sent, a peer that goes on talking makes no progress.
    fn moved(&self) -> u64 {
        match self.output {
            Output::Finished => self.sent,
            _ => self.sent + self.received,
        }
    }

    /// The time of a limit has come.
    pub(crate) fn expire(&mut self, clock: Clock) -> Next {
        let (moved, unsent) = (self.moved(), self.transport.unsent());
        let linger = self.deadlines.linger.as_mut();
        if linger.is_some_and(|linger| linger.is_over(moved, unsent, clock)) {
            return Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)));
        }
        Next::Wait
    }
}
