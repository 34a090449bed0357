//! Limits in time of a connection, and when the next of them ends.
//!
//! A limit is a field of `ColdState`, a line in `next_deadline` and a line in `expire`.

use super::linger::Linger;
use super::{Connection, Output};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::{Clock, Moment};
use millrace_ring::record::reason;

impl Connection {
    /// When the first limit ends, at which `expire` is to be called. Asked whenever the connection did
    /// something.
    pub(crate) fn next_deadline(&mut self, clock: Clock) -> Option<Moment> {
        if !self.transport.is_open() {
            return None;
        }
        let timeouts = self.timeouts_end(clock);
        if !self.is_closing() {
            return timeouts;
        }
        let (limit, moved, last_write) =
            (self.profile.options.linger, self.moved(), self.last_write);
        let cold = self.cold.allocated();
        let linger =
            cold.linger.get_or_insert_with(|| Linger::start(limit, moved, clock.refreshed()));
        let look = linger.next_look();
        let replies = cold.last_replies.as_mut();
        let replies = replies.map(|replies| replies.until(last_write, clock));
        [Some(look), replies, timeouts].into_iter().flatten().min()
    }

    /// Nothing more is wanted of it but that its output arrives and its peer ends.
    pub(super) fn is_closing(&self) -> bool {
        self.is_input_done && (self.output != Output::Open || self.sends_file())
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
        let (moved, unacknowledged) = (self.moved(), self.transport.unacknowledged());
        let cold = self.cold.allocated();
        let is_stuck =
            cold.linger.as_mut().is_some_and(|linger| linger.is_over(moved, unacknowledged, clock));
        let is_late = cold.last_replies.as_ref().is_some_and(|replies| replies.is_over(clock));
        if is_stuck || is_late {
            return Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)));
        }
        self.expire_timeouts(clock)
    }
}
