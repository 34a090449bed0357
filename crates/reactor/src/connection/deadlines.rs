//! Limits in time of a connection, and when the next of them ends.
//!
//! A limit is a field of [`Running`], a line in `next_deadline` and a line in `expire`.

use super::last_replies::LastReplies;
use super::linger::Linger;
use super::timeout_watch::TimeoutWatch;
use super::{Connection, Output};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::{Clock, Moment};
use millrace_ring::record::reason;

/// The limits in time that may be running.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Boxed, because most connections have none.
    running: Option<Box<Running>>,
}

#[derive(Debug, Default)]
pub(super) struct Running {
    /// While the connection closes.
    pub(super) linger: Option<Linger>,
    /// After a failure that the user has heard of.
    pub(super) last_replies: Option<LastReplies>,
    /// What the user set.
    pub(super) timeouts: Option<TimeoutWatch>,
}

impl Deadlines {
    pub(super) fn running(&mut self) -> &mut Running {
        self.running.get_or_insert_default()
    }

    pub(super) fn last_replies(&self) -> Option<&LastReplies> {
        self.running.as_ref()?.last_replies.as_ref()
    }

    pub(super) fn last_replies_mut(&mut self) -> Option<&mut LastReplies> {
        self.running.as_mut()?.last_replies.as_mut()
    }

    pub(super) fn timeouts(&self) -> Option<&TimeoutWatch> {
        self.running.as_ref()?.timeouts.as_ref()
    }

    pub(super) fn timeouts_mut(&mut self) -> Option<&mut TimeoutWatch> {
        self.running.as_mut()?.timeouts.as_mut()
    }
}

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
        let running = self.deadlines.running();
        let linger = running.linger.get_or_insert_with(|| Linger::start(limit, moved, clock));
        let look = linger.next_look();
        let replies = running.last_replies.as_mut();
        let replies = replies.map(|replies| replies.until(last_write, clock));
        [Some(look), replies, timeouts].into_iter().flatten().min()
    }

    /// Nothing more is wanted of it but that its output arrives and its peer ends.
    pub(super) fn is_closing(&self) -> bool {
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
        let (moved, unacknowledged) = (self.moved(), self.transport.unacknowledged());
        let running = self.deadlines.running();
        let is_stuck = running
            .linger
            .as_mut()
            .is_some_and(|linger| linger.is_over(moved, unacknowledged, clock));
        let is_late = running.last_replies.as_ref().is_some_and(|replies| replies.is_over(clock));
        if is_stuck || is_late {
            return Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)));
        }
        self.expire_timeouts(clock)
    }
}
