//! How the times run whose limits the user set.
//!
//! Nothing is done for each message: whenever the connection did something, [`TimeoutWatch::observe`] compares
//! counts with those that it saw last.

use crate::notices::{AskedTimeouts, Cause};
use crate::profile::Timeouts;
use crate::run_queue::Next;
use crate::timers::Moment;
use millrace_ring::record::reason;
use std::hash::{BuildHasher, RandomState};
use std::mem;

/// In a change of limits: one that stays as it is.
pub(super) const UNCHANGED: u32 = u32::MAX;

/// How long a connection that is old enough may take to end, in milliseconds.
const DRAINING: u32 = 30_000;

/// What a connection is at, as far as its times depend on that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) frames: Frames,
    /// There was a whole frame.
    pub(super) had_frame: bool,
    pub(super) has_output: bool,
    /// We do not read, for whatever reason, so the peer is not to blame for silence.
    pub(super) is_held: bool,
    /// A pipe or a stream has the input: what holds a pipe is the other side, and silence of both is silence.
    pub(super) is_taken: bool,
}

/// What is known of the messages of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frames {
    /// The loop cuts it: where the frame begins that is not complete, if there is one.
    Cut { begun: Option<u64> },
    /// The user cuts it, and says so when a message begins or ends.
    Raw,
}

/// The times of one connection.
#[derive(Debug)]
pub(super) struct TimeoutWatch {
    limits: Timeouts,
    opened: Moment,
    received: u64,
    sent: u64,
    /// When the time of each limit began.
    idle_since: Moment,
    receive_since: Moment,
    first_message_since: Moment,
    write_since: Option<Moment>,
    /// The message that has begun and is not complete: where in the stream, and since when.
    frame: Option<(u64, Moment)>,
    had_message: bool,
    held_since: Option<Moment>,
    is_taken: bool,
    /// What the user is asked and has not answered.
    asked: AskedTimeouts,
    /// Since when the input is ended, because the connection is old enough.
    retired: Option<Moment>,
    /// How much longer than `max_lifetime` this connection lives, in parts of 2560 of that.
    jitter: u8,
}

/// Where the connection is in its life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// Its input goes to the user.
    pub(super) flows: bool,
    /// It closes, for which there are limits of its own.
    pub(super) is_closing: bool,
}

/// What the end of a time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    Nothing,
    Close,
    /// The user is to be asked.
    Ask,
    Retire,
}

impl TimeoutWatch {
    /// Begins when so many bytes had been received and sent.
    pub(super) fn start(limits: Timeouts, (received, sent): (u64, u64), now: Moment) -> Self {
        Self {
            limits,
            opened: now,
            received,
            sent,
            idle_since: now,
            receive_since: now,
            first_message_since: now,
            write_since: None,
            frame: None,
            had_message: false,
            held_since: None,
            is_taken: false,
            asked: AskedTimeouts::default(),
            retired: None,
            // A random number without a crate for it: the keys of a `RandomState` are random.
            jitter: RandomState::new().hash_one(0) as u8,
        }
    }

    /// Notes what has changed since the last time.
    pub(super) fn observe(&mut self, observed: Observed, now: Moment) {
        if observed.received != self.received {
            self.received = observed.received;
            (self.idle_since, self.receive_since) = (now, now);
            (self.asked.idle, self.asked.receive) = (false, false);
        }
        let has_sent = observed.sent != self.sent;
        if has_sent {
            self.sent = observed.sent;
            self.idle_since = now;
            self.asked.idle = false;
        }
        self.write_since = match self.write_since {
            _ if !observed.has_output => None,
            Some(since) if !has_sent => Some(since),
            _ => Some(now),
        };
        self.had_message |= observed.had_frame;
        self.asked.first_message &= !self.had_message;
        if let Frames::Cut { begun } = observed.frames {
            let is_same = self.frame.map(|(start, _)| start) == begun;
            self.asked.frame &= is_same;
            self.frame = begun.map(|at| match self.frame {
                Some((start, since)) if start == at => (start, since),
                _ => (at, now),
            });
        }
        self.is_taken = observed.is_taken;
        match (self.held_since, observed.is_held) {
            (None, true) => self.held_since = Some(now),
            (Some(since), false) => self.go_on_after(since, now),
            _ => {}
        }
    }

    /// The times that stood still go on.
    fn go_on_after(&mut self, held_since: Moment, now: Moment) {
        self.held_since = None;
        // What began while the connection was held has not run before.
        let shifted = |began: Moment| began.plus(now.since(held_since.max(began)));
        if !self.is_taken {
            self.idle_since = shifted(self.idle_since);
        }
        self.receive_since = shifted(self.receive_since);
        self.first_message_since = shifted(self.first_message_since);
        self.frame = self.frame.map(|(start, since)| (start, shifted(since)));
    }

    /// When each time ends that is running, and why the connection closes then.
    fn ends(&self, phase: Phase) -> [Option<(Moment, u32)>; 6] {
        let end = |is_running: bool, since: Moment, limit: u32, reason: u32| {
            (is_running && limit > 0).then(|| (since.plus(limit.into()), reason))
        };
        let is_read = self.held_since.is_none();
        let flows = is_read && phase.flows;
        let limits = &self.limits;
        let (frame_since, write_since) =
            (self.frame.map_or(self.opened, |(_, since)| since), self.write_since);
        [
            end(
                (is_read || self.is_taken) && !phase.is_closing && !self.asked.idle,
                self.idle_since,
                limits.idle,
                reason::IDLE_TIMEOUT,
            ),
            end(
                flows && !self.asked.receive,
                self.receive_since,
                limits.receive,
                reason::RECEIVE_TIMEOUT,
            ),
            end(
                flows && !self.had_message && !self.asked.first_message,
                self.first_message_since,
                limits.first_message,
                reason::FIRST_MESSAGE_TIMEOUT,
            ),
            end(
                flows && self.frame.is_some() && !self.asked.frame,
                frame_since,
                limits.frame,
                reason::FRAME_TIMEOUT,
            ),
            end(
                write_since.is_some(),
                write_since.unwrap_or(self.opened),
                limits.write,
                reason::WRITE_TIMEOUT,
            ),
            match self.retired {
                Some(since) => end(true, since, DRAINING, reason::MAX_LIFETIME),
                None => end(
                    !phase.is_closing,
                    self.opened
                        .plus(u64::from(limits.max_lifetime) * u64::from(self.jitter) / 2560),
                    limits.max_lifetime,
                    reason::MAX_LIFETIME,
                ),
            },
        ]
    }

    pub(super) fn next_end(&self, phase: Phase) -> Option<Moment> {
        self.ends(phase).into_iter().flatten().map(|(at, _)| at).min()
    }

    /// Does what the first time asks for that has ended; `passed` is a moment that has certainly passed.
    pub(super) fn expire(&mut self, phase: Phase, passed: Moment) -> (Expired, u32) {
        let ended = self.ends(phase).into_iter().flatten().filter(|(at, _)| *at <= passed).min();
        let Some((_, reason)) = ended else { return (Expired::Nothing, reason::NONE) };
        match reason {
            reason::MAX_LIFETIME if self.retired.is_none() => {
                self.retired = Some(passed);
                return (Expired::Retire, reason);
            }
            reason::MAX_LIFETIME => return (Expired::Close, reason),
            reason::WRITE_TIMEOUT => return (Expired::Close, reason),
            // The user may hold the input back, and the loop has not heard of that yet.
            _ => self.asked.ask(reason),
        }
        (Expired::Ask, reason)
    }

    /// The user has answered what it was asked: the time ends again in `left` milliseconds, or the
    /// connection is to be closed. Nothing if the question is void by now: a byte has moved, say.
    pub(super) fn answer(&mut self, reason: u32, left: u32, now: Moment) -> Next {
        let asked = &mut self.asked;
        let (is_asked, limit) = match reason {
            reason::IDLE_TIMEOUT => (&mut asked.idle, self.limits.idle),
            reason::RECEIVE_TIMEOUT => (&mut asked.receive, self.limits.receive),
            reason::FIRST_MESSAGE_TIMEOUT => (&mut asked.first_message, self.limits.first_message),
            _ => (&mut asked.frame, self.limits.frame),
        };
        if !mem::take(is_asked) || limit == 0 {
            return Next::Wait;
        }
        if left == 0 {
            return Next::Close(Cause::of(reason));
        }
        let since = now.minus(limit.saturating_sub(left).into());
        match reason {
            reason::IDLE_TIMEOUT => self.idle_since = since,
            reason::RECEIVE_TIMEOUT => self.receive_since = since,
            reason::FIRST_MESSAGE_TIMEOUT => self.first_message_since = since,
            _ => self.frame = self.frame.map(|(start, _)| (start, since)),
        }
        Next::Wait
    }

    /// Changes limits. The times of those that are given begin now.
    pub(super) fn change(&mut self, new: Timeouts, now: Moment) {
        let change = |limit: &mut u32, new: u32| {
            let is_given = new != UNCHANGED;
            if is_given {
                *limit = new;
            }
            is_given
        };
        let limits = &mut self.limits;
        if change(&mut limits.idle, new.idle) {
            (self.idle_since, self.asked.idle) = (now, false);
        }
        if change(&mut limits.receive, new.receive) {
            (self.receive_since, self.asked.receive) = (now, false);
        }
        if change(&mut limits.first_message, new.first_message) {
            (self.first_message_since, self.asked.first_message) = (now, false);
        }
        if change(&mut limits.frame, new.frame) {
            self.frame = self.frame.map(|(start, _)| (start, now));
            self.asked.frame = false;
        }
        if change(&mut limits.write, new.write) {
            self.write_since = self.write_since.map(|_| now);
        }
        if change(&mut limits.max_lifetime, new.max_lifetime) {
            (self.opened, self.retired) = (now, None);
        }
    }

    /// The user has said where the stream stands that it cuts itself: in a message that has begun, or behind one.
    pub(super) fn note_raw_message(&mut self, is_complete: bool, now: Moment) {
        self.frame = (!is_complete).then_some((self.received, now));
        self.asked.frame = false;
    }

    pub(super) fn note_first_message(&mut self) {
        self.had_message = true;
        self.asked.first_message = false;
    }

    /// Whether the input was ended because the connection is old enough.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// What the user is asked and has not answered.
    pub(super) fn asked(&self) -> AskedTimeouts {
        self.asked
    }
}

#[cfg(test)]
mod tests;
