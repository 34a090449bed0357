//! The limits in time that the user set: what they look at, and what their ends do.
//!
//! `timeout_watch.rs` has the times. The loop keeps one deadline for a connection, which is moved when it ends and
//! not with every byte. No limit ends early: a time begins when the thing has happened, and not when the turn began
//! in which it did.

use super::timeout_watch::{Expired, Frames, Observed, Phase, TimeoutWatch};
use super::{Connection, Input};
use crate::notices::Cause;
use crate::profile::Timeouts;
use crate::run_queue::Next;
use crate::timers::{Clock, Moment};
use millrace_ring::record::reason;

impl Connection {
    /// Changes the limits in time. The times of those that are given begin now; `u32::MAX` leaves one as it is.
    pub(crate) fn set_timeouts(&mut self, new: Timeouts, clock: Clock) {
        let now = clock.refreshed().moment();
        let (received, sent) = (self.received, self.sent);
        let cold = self.cold.allocated();
        let watch = cold
            .timeouts
            .get_or_insert_with(|| TimeoutWatch::start(Timeouts::default(), (received, sent), now));
        watch.change(new, now);
    }

    /// Begins to watch the limits that its profile has.
    pub(super) fn start_timeouts(&mut self, clock: Clock) {
        let limits = self.profile.options.timeouts;
        if limits.is_any() {
            self.cold.allocated().timeouts =
                Some(TimeoutWatch::start(limits, (0, 0), clock.refreshed().moment()));
        }
    }

    /// The user has answered a `TIMEOUT`.
    pub(crate) fn timeout_answered(&mut self, reason: u32, left: u32, clock: Clock) -> Next {
        let now = clock.refreshed().moment();
        self.observe_timeouts(now);
        self.cold.timeouts_mut().map_or(Next::Wait, |watch| watch.answer(reason, left, now))
    }

    /// The user, who cuts a raw stream into messages, says where it stands: `is_complete` if no message has
    /// begun, or the last one is complete.
    pub(crate) fn note_raw_message(&mut self, is_complete: bool, clock: Clock) {
        if let Some(watch) = self.cold.timeouts_mut() {
            watch.note_raw_message(is_complete, clock.refreshed().moment());
        }
    }

    /// The user has had the first message of a raw stream.
    pub(crate) fn note_first_message(&mut self) {
        if let Some(watch) = self.cold.timeouts_mut() {
            watch.note_first_message();
        }
    }

    /// When the first limit that the user set ends, at which `expire_timeouts` is to be called.
    pub(super) fn timeouts_end(&mut self, clock: Clock) -> Option<Moment> {
        self.cold.timeouts()?;
        self.observe_timeouts(clock.refreshed().moment());
        let phase = self.phase();
        self.cold.timeouts()?.next_end(phase)
    }

    /// The time of a limit that the user set may have ended.
    pub(super) fn expire_timeouts(&mut self, clock: Clock) -> Next {
        if self.cold.timeouts().is_none() {
            return Next::Wait;
        }
        self.observe_timeouts(clock.refreshed().moment());
        let phase = self.phase();
        let Some(watch) = self.cold.timeouts_mut() else { return Next::Wait };
        match watch.expire(phase, clock.passed()) {
            (Expired::Nothing, _) => Next::Wait,
            (Expired::Close, reason) => Next::Close(Cause::of(reason)),
            (Expired::Ask, reason) => {
                self.notices.timeouts.ask(reason);
                Next::Wait
            }
            (Expired::Retire, _) => {
                self.drain();
                Next::Again
            }
        }
    }

    /// Why its input ends if it is drained: its server closes, or it is old enough.
    pub(super) fn drain_reason(&self) -> u32 {
        match self.cold.timeouts() {
            Some(watch) if watch.is_retired() => reason::MAX_LIFETIME,
            _ => reason::DRAINING,
        }
    }

    fn phase(&self) -> Phase {
        Phase { flows: self.input == Input::Flowing, is_closing: self.is_closing() }
    }

    fn observe_timeouts(&mut self, now: Moment) {
        let is_raw = self.profile.framing.is_raw() || self.is_taken();
        let rest = self.rest.len() as u64;
        let has_begun = rest > 0 && self.partial.is_none();
        let begun = has_begun.then(|| self.received - rest);
        let frames = if is_raw { Frames::Raw } else { Frames::Cut { begun } };
        let observed = Observed {
            received: self.received,
            sent: self.sent,
            frames,
            had_frame: (!is_raw && (self.received > rest || self.partial.is_some()))
                || self.is_taken(),
            has_output: self.send_queue.is_some(),
            // What the kernel holds may be what the time waits for.
            is_held: self.is_paused()
                || self.scheduling.credit.is_held()
                || self.notices.opening.is_some()
                || self.is_switching()
                || self.transport.is_readable(),
            is_taken: self.is_taken(),
        };
        let Some(watch) = self.cold.timeouts_mut() else { return };
        watch.observe(observed, now);
        // What was not told yet and is not asked any more need not be told.
        let (asked, told) = (watch.asked(), &mut self.notices.timeouts);
        told.idle &= asked.idle;
        told.receive &= asked.receive;
        told.first_message &= asked.first_message;
        told.frame &= asked.frame;
    }
}
