//! How many things may be done by now at a bounded rate.

use std::time::{Duration, Instant};

/// What a late turn may catch up with. The rest is dropped: a rush afterwards would exceed the rate.
const CATCH_UP: Duration = Duration::from_millis(20);

/// A rate, and how much of it was used.
#[derive(Debug)]
pub struct Pace {
    step: Duration,
    /// When the next thing may be done.
    next: Instant,
}

impl Pace {
    /// Makes a pace of `rate` things per second, the first of them at `now`.
    pub fn new(rate: u32, now: Instant) -> Self {
        Self { step: Duration::from_secs(1) / rate, next: now }
    }

    /// Takes one thing, if it may be done at `now`.
    pub fn take(&mut self, now: Instant) -> bool {
        if let Some(earliest) = now.checked_sub(CATCH_UP.max(self.step)) {
            self.next = self.next.max(earliest);
        }
        let may = self.next <= now;
        if may {
            self.next += self.step;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pace: &mut Pace, now: Instant) -> usize {
        std::iter::from_fn(|| pace.take(now).then_some(())).count()
    }

    #[test]
    fn a_second_holds_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, start);
        let total: usize = (0..1000)
            .map(|millisecond| taken(&mut pace, start + Duration::from_millis(millisecond)))
            .sum();
        assert_eq!(total, 1000);
    }

    #[test]
    fn a_late_turn_catches_up_with_little() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, start);
        assert_eq!(taken(&mut pace, start + Duration::from_secs(5)), 21);
    }

    #[test]
    fn a_slow_pace_is_not_lost_between_turns() {
        let start = Instant::now();
        let mut pace = Pace::new(10, start);
        let times = (0..1000).step_by(30).map(|at| start + Duration::from_millis(at));
        assert_eq!(times.map(|now| taken(&mut pace, now)).sum::<usize>(), 10);
    }
}
