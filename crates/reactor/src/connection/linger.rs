//! How long a connection that closes may stay without progress.

use crate::timers::{Clock, Moment};
use std::time::Duration;

/// How many times in the limit progress is looked for. Acknowledgements bring no event, so they are only seen
/// then.
const LOOKS: u32 = 4;

/// The time in which nothing may move: no byte is taken by the kernel, acknowledged, or received.
#[derive(Debug)]
pub(super) struct Linger {
    step: Duration,
    next: Moment,
    /// How many looks in a row saw nothing move.
    idle_looks: u32,
    /// What had moved at the last look.
    moved: u64,
    /// What the kernel held at the last look; unknown at the start, which saves a system call for each
    /// connection that closes at once.
    unacknowledged: Option<u32>,
}

impl Linger {
    /// Starts the time.
    ///
    /// `moved` is a count of bytes that changes with each progress that this side knows of.
    pub(super) fn start(limit: Duration, moved: u64, clock: Clock) -> Self {
        let step = limit / LOOKS;
        Self { step, next: clock.after(step), idle_looks: 0, moved, unacknowledged: None }
    }

    pub(super) fn next_look(&self) -> Moment {
        self.next
    }

    /// Looks whether anything has moved; true if nothing has for the whole time. `unacknowledged` is how many
    /// bytes the kernel holds.
    pub(super) fn is_over(
        &mut self,
        moved: u64,
        unacknowledged: Option<u32>,
        clock: Clock,
    ) -> bool {
        if clock.is_before(self.next) {
            return false;
        }
        let is_same = match self.unacknowledged {
            Some(_) => unacknowledged == self.unacknowledged,
            // What the peer has acknowledged by the first look is unknown.
            None => unacknowledged.is_none_or(|count| count == 0),
        };
        let is_idle = moved == self.moved && is_same;
        self.idle_looks = if is_idle { self.idle_looks + 1 } else { 0 };
        (self.moved, self.unacknowledged) = (moved, unacknowledged);
        self.next = clock.after(self.step);
        self.idle_looks >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::Linger;
    use crate::timers::Timers;
    use std::time::{Duration, Instant};

    /// Looks at each of these times (in seconds), with what had moved and what the kernel held then. Returns
    /// the time at which a limit of 8 seconds was over.
    fn over_at(looks: impl IntoIterator<Item = (u64, u64, Option<u32>)>) -> Option<u64> {
        let start = Instant::now();
        let timers = Timers::new(start);
        let mut linger = Linger::start(Duration::from_secs(8), 0, timers.clock(start));
        looks.into_iter().find_map(|(at, moved, unacknowledged)| {
            let clock = timers.clock(start + Duration::from_secs(at));
            linger.is_over(moved, unacknowledged, clock).then_some(at)
        })
    }

    #[test]
    fn it_is_over_after_the_time_if_nothing_moves() {
        assert_eq!(over_at((1..20).map(|at| (at, 0, Some(0)))), Some(8));
        assert_eq!(over_at((1..20).map(|at| (at, 0, None))), Some(8));
        // Something may have been acknowledged before the first look.
        assert_eq!(over_at((1..20).map(|at| (at, 0, Some(7)))), Some(10));
    }

    #[test]
    fn each_byte_that_moves_begins_the_time_again() {
        assert_eq!(over_at((1..40).map(|at| (at, at.min(10), None))), Some(18));
        let acknowledged = (1..40).map(|at| (at, 0, Some(100 - at.min(10) as u32)));
        assert_eq!(over_at(acknowledged), Some(18));
    }

    #[test]
    fn it_is_never_over_while_something_moves() {
        assert_eq!(over_at((1..200).map(|at| (at, at / 7, None))), None);
        assert_eq!(over_at((1..200).map(|at| (at, 0, Some(1000 - at as u32 / 7)))), None);
    }

    #[test]
    fn a_look_before_its_time_changes_nothing() {
        let looks = [(1, 5, None), (2, 0, None), (4, 0, None), (6, 0, None), (7, 9, None)];
        assert_eq!(over_at(looks.into_iter().chain([(8, 0, None)])), Some(8));
    }
}
