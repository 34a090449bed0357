//! A limit in time of a datagram socket.

use crate::timers::{Clock, Moment};
use std::time::Duration;

/// A time for which a condition may hold: it runs while the condition does.
#[derive(Debug, Default)]
pub(super) struct TimeLimit(Option<Moment>);

impl TimeLimit {
    /// Starts the time if it is not running and `limit` says how long it is; stops it without a limit.
    /// Returns when it ends.
    pub(super) fn keep(&mut self, limit: Option<Duration>, clock: Clock) -> Option<Moment> {
        match limit {
            Some(limit) => {
                self.0.get_or_insert_with(|| clock.after(limit));
            }
            None => self.0 = None,
        }
        self.0
    }

    /// Stops the time.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::TimeLimit;
    use crate::timers::Timers;
    use std::time::{Duration, Instant};

    #[test]
    fn a_limit_runs_from_when_its_condition_began_to_hold() {
        let start = Instant::now();
        let timers = Timers::new(start);
        let limit = Some(Duration::from_millis(10));
        let (first, later) = (timers.clock(start), timers.clock(start + Duration::from_millis(5)));
        let mut time = TimeLimit::default();
        assert_eq!(time.keep(limit, first), Some(first.after(Duration::from_millis(10))));
        assert_eq!(time.keep(limit, later), Some(first.after(Duration::from_millis(10))));
        assert_eq!(time.keep(None, later), None);
        assert_eq!(time.keep(limit, later), Some(later.after(Duration::from_millis(10))));
    }
}
