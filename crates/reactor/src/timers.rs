//! Deadlines of a loop's connections.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Deadlines in order, at most one for each slot, in whole milliseconds since the loop's start.
///
/// A tree, not a wheel: entries are taken out when their connection goes, so it never holds more
/// than there are connections that wait, and only lingering ones do.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    queue: BTreeSet<(u64, u32)>,
}

impl Timers {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, queue: BTreeSet::new() }
    }

    /// The time `after` from `now`, never rounded down.
    pub(crate) fn at(&self, now: Instant, after: Duration) -> u64 {
        let at = now.saturating_duration_since(self.start) + after;
        at.as_nanos().div_ceil(1_000_000) as u64
    }

    /// Moves a slot's deadline from `old` to `new`; 0 is none.
    pub(crate) fn set(&mut self, slot: u32, old: u64, new: u64) {
        if old != 0 {
            self.queue.remove(&(old, slot));
        }
        if new != 0 {
            self.queue.insert((new, slot));
        }
    }

    /// Sets a slot's deadline if it is to have one and has none, and takes it away if it is to have none.
    pub(crate) fn keep(
        &mut self,
        slot: u32,
        deadline: &mut u64,
        now: Instant,
        patience: Option<Duration>,
    ) {
        match patience {
            Some(patience) if *deadline == 0 => {
                *deadline = self.at(now, patience);
                self.set(slot, 0, *deadline);
            }
            None if *deadline != 0 => {
                self.set(slot, *deadline, 0);
                *deadline = 0;
            }
            _ => {}
        }
    }

    /// Takes out one slot whose deadline has come.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<u32> {
        let elapsed = now.saturating_duration_since(self.start).as_millis() as u64;
        let (deadline, slot) = *self.queue.first()?;
        if deadline > elapsed {
            return None;
        }
        self.queue.pop_first();
        Some(slot)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let (deadline, _) = self.queue.first()?;
        Some(self.start + Duration::from_millis(*deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;
    use std::time::{Duration, Instant};

    #[test]
    fn slots_expire_in_order_and_not_before_their_time() {
        let start = Instant::now();
        let mut timers = Timers::new(start);
        let late = timers.at(start, Duration::from_millis(20));
        let early = timers.at(start, Duration::from_millis(10));
        timers.set(1, 0, late);
        timers.set(2, 0, early);
        timers.set(3, 0, early);
        timers.set(3, early, 0);
        assert_eq!(timers.expired(start + Duration::from_millis(9)), None);
        let then = start + Duration::from_millis(25);
        assert_eq!(timers.expired(then), Some(2));
        assert_eq!(timers.next(), Some(start + Duration::from_millis(20)));
        assert_eq!(timers.expired(then), Some(1));
        assert_eq!(timers.expired(then), None);
    }
}
