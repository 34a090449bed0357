//! Limits in time of a connection.
//!
//! A limit is a field of [`Deadlines`], a line in `next_deadline` and a line in `expire`.

use super::last_replies::LastReplies;
use super::linger::Linger;
use super::{Connection, Output};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::{Clock, Deadline};
use millrace_ring::record::reason;

/// The limits in time that may be running.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Boxed, because few connections close at any moment.
    closing: Option<Box<ClosingLimits>>,
}

/// The limits while a connection closes.
#[derive(Debug, Default)]
struct ClosingLimits {
    linger: Option<Linger>,
    /// After a failure that the user has heard of.
    last_replies: Option<LastReplies>,
}

impl Deadlines {
    /// The user has heard of a failure, and the last replies are on their way.
    pub(super) fn await_last_replies(&mut self, received: u64) {
        let closing = self.closing.get_or_insert_default();
        closing.last_replies = Some(LastReplies::after(received));
    }

    fn last_replies(&self) -> Option<&LastReplies> {
        self.closing.as_ref()?.last_replies.as_ref()
    }
}

impl Connection {
    /// When the first limit ends, at which `expire` is to be called. Asked whenever the connection did
    /// something.
    pub(crate) fn next_deadline(&mut self, clock: Clock) -> Option<Deadline> {
        if !self.transport.is_open() || !self.is_closing() {
            return None;
        }
        let (limit, moved, last_write) =
            (self.profile.options.linger, self.moved(), self.last_write);
        let closing = self.deadlines.closing.get_or_insert_default();
        let linger = closing.linger.get_or_insert_with(|| Linger::start(limit, moved, clock));
        let look = linger.next_look();
        let replies = closing.last_replies.as_mut();
        Some(replies.map_or(look, |replies| look.min(replies.until(last_write, clock))))
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
        let Some(closing) = &mut self.deadlines.closing else { return Next::Wait };
        let is_stuck =
            closing.linger.as_mut().is_some_and(|linger| linger.is_over(moved, unsent, clock));
        let is_late = closing.last_replies.as_ref().is_some_and(|replies| replies.is_over(clock));
        if is_stuck || is_late {
            return Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)));
        }
        Next::Wait
    }

    /// Whether the user has heard of the end, and the socket stays for the last replies.
    pub(crate) fn is_lingering(&self) -> bool {
        self.transport.is_open() && self.deadlines.last_replies().is_some()
    }

    /// Says that the loop counts it as lingering; true the first time.
    pub(crate) fn count_lingering(&mut self) -> bool {
        let closing = self.deadlines.closing.as_mut();
        let replies = closing.and_then(|closing| closing.last_replies.as_mut());
        replies.is_some_and(|replies| !std::mem::replace(&mut replies.is_counted, true))
    }

    /// Whether the loop has counted it as lingering.
    pub(crate) fn was_counted_lingering(&self) -> bool {
        self.deadlines.last_replies().is_some_and(|replies| replies.is_counted)
    }

    /// Whether the peer sends too much while the socket stays for the last replies.
    pub(super) fn is_flooded(&self) -> bool {
        self.deadlines.last_replies().is_some_and(|replies| replies.is_flooded(self.received))
    }
}
