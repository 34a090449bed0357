//! The last replies of a connection whose stream could not be cut: how long they may take to arrive.
//!
//! The user has heard of the end by then, and the peer has broken the protocol: there is nothing to wait
//! for but that it reads what was written before. That is acknowledged long before it is read, and a reset
//! can still cost it, so only time tells.

use super::Connection;
use crate::timers::{Clock, Moment, Tick};
use std::mem;
use std::time::Duration;

/// How long after the last write the socket stays.
const STAY: Duration = Duration::from_secs(2);
/// How many bytes of the peer are dropped meanwhile.
const MOST_DROPPED: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct LastReplies {
    until: Option<Moment>,
    /// The count of received bytes at which the socket is closed.
    most_received: u64,
    /// The loop has counted the socket among those that stay.
    pub(super) is_counted: bool,
}

impl LastReplies {
    /// Begins when that many bytes were received.
    pub(super) fn after(received: u64) -> Self {
        Self { until: None, most_received: received + MOST_DROPPED, is_counted: false }
    }

    /// When the socket closes. Without a write it does at once.
    pub(super) fn until(&mut self, last_write: Option<Tick>, clock: Clock) -> Moment {
        let left = || last_write.map_or(Duration::ZERO, |at| clock.left_of(STAY, at));
        *self.until.get_or_insert_with(|| clock.after(left()))
    }

    pub(super) fn is_over(&self, clock: Clock) -> bool {
        self.until.is_some_and(|until| !clock.is_before(until))
    }

    /// Whether the peer has sent too much meanwhile.
    pub(super) fn is_flooded(&self, received: u64) -> bool {
        received > self.most_received
    }
}

impl Connection {
    /// The user has heard of a failure, and the last replies are on their way.
    pub(super) fn await_last_replies(&mut self) {
        self.cold.allocated().last_replies = Some(LastReplies::after(self.received));
    }

    /// Whether the user has heard of the end, and the socket stays for the last replies.
    pub(crate) fn awaits_last_replies(&self) -> bool {
        self.transport.is_open() && self.cold.last_replies().is_some()
    }

    /// Says that the loop counts the socket among those that stay; true the first time.
    pub(crate) fn begins_last_replies(&mut self) -> bool {
        let replies = self.cold.last_replies_mut();
        replies.is_some_and(|replies| !mem::replace(&mut replies.is_counted, true))
    }

    /// Whether the loop has counted the socket among those that stay.
    pub(crate) fn was_counted_for_last_replies(&self) -> bool {
        self.cold.last_replies().is_some_and(|replies| replies.is_counted)
    }

    /// Whether the peer sends too much while the socket stays for the last replies.
    pub(super) fn is_flooded(&self) -> bool {
        self.cold.last_replies().is_some_and(|replies| replies.is_flooded(self.received))
    }
}

#[cfg(test)]
mod tests {
    use super::{LastReplies, MOST_DROPPED};
    use crate::timers::Timers;
    use std::time::{Duration, Instant};

    #[test]
    fn they_get_two_seconds_from_the_last_write_and_none_without_one() {
        let start = Instant::now();
        let timers = Timers::new(start);
        let at = |millis| timers.clock(start + Duration::from_millis(millis));
        for (last_write, over_at) in [(Some(at(0).tick()), 2016), (None, 512)] {
            let mut replies = LastReplies::after(0);
            replies.until(last_write, at(512));
            assert!(!replies.is_over(at(over_at - 1)));
            assert!(replies.is_over(at(over_at)));
        }
    }

    #[test]
    fn a_peer_may_send_a_megabyte_meanwhile() {
        let replies = LastReplies::after(100);
        assert!(!replies.is_flooded(100 + MOST_DROPPED));
        assert!(replies.is_flooded(101 + MOST_DROPPED));
    }
}
