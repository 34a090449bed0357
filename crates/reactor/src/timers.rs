//! A loop's time, and what it has to wake up for ([`Timers`]).
//!
//! A connection or a datagram socket says when its first limit ends (`next_deadline`), and the loop keeps
//! that one deadline in its timers; so one more limit is one more field, not one more mechanism.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::{Duration, Instant};

/// A moment, in whole milliseconds since the loop's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl Moment {
    /// That many milliseconds later.
    pub(crate) fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// That many milliseconds earlier, or the loop's start if that was later.
    pub(crate) fn minus(self, millis: u64) -> Self {
        Self(NonZeroU64::new(self.0.get().saturating_sub(millis)).unwrap_or(NonZeroU64::MIN))
    }

    /// The milliseconds since an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

/// Milliseconds in a tick.
const TICK: u128 = 16;

/// A moment, in four bytes: ticks since the loop's start, which wrap after two years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tick(NonZeroU32);

/// A loop's time: when it started, and when its turn began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    now: Instant,
}

impl Clock {
    /// The moment at which the turn began; never rounded down.
    pub(crate) fn moment(self) -> Moment {
        self.after(Duration::ZERO)
    }

    /// The last moment that had passed when the turn began, for what must not end early; never rounded up.
    pub(crate) fn passed(self) -> Moment {
        let millis = self.now.saturating_duration_since(self.start).as_millis() as u64;
        Moment(NonZeroU64::new(millis).unwrap_or(NonZeroU64::MIN))
    }

    /// Looks at the clock again: the turn may have done much since it began.
    pub(crate) fn refreshed(self) -> Self {
        Self { now: Instant::now(), ..self }
    }

    /// The deadline that ends `after` from now; never rounded down.
    pub(crate) fn after(self, after: Duration) -> Moment {
        let at = self.now.saturating_duration_since(self.start) + after;
        // In 64 bits: this runs with every message of a connection that has limits in time.
        let millis =
            at.as_secs().saturating_mul(1_000) + u64::from(at.subsec_nanos().div_ceil(1_000_000));
        Moment(NonZeroU64::new(millis).unwrap_or(NonZeroU64::MIN))
    }

    /// The tick at which the turn began.
    pub(crate) fn tick(self) -> Tick {
        let ticks = self.now.saturating_duration_since(self.start).as_millis() / TICK;
        Tick(NonZeroU32::new(ticks as u32).unwrap_or(NonZeroU32::MIN))
    }

    /// What is left of a time that began at that tick; a tick too much at most.
    pub(crate) fn left_of(self, time: Duration, start: Tick) -> Duration {
        let ticks = self.tick().0.get().wrapping_sub(start.0.get());
        time.saturating_sub(Duration::from_millis(u64::from(ticks) * TICK as u64))
    }

    /// Whether the deadline is still to come.
    pub(crate) fn is_before(self, deadline: Moment) -> bool {
        self.now.saturating_duration_since(self.start).as_millis() < u128::from(deadline.0.get())
    }
}

/// Deadlines in order, at most one for each slot.
///
/// A tree, not a wheel: an entry is taken out when its socket goes, so the tree never holds more entries
/// than there are sockets with a deadline.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    queue: BTreeSet<(Moment, u32)>,
}

impl Timers {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, queue: BTreeSet::new() }
    }

    pub(crate) fn clock(&self, now: Instant) -> Clock {
        Clock { start: self.start, now }
    }

    /// Makes sure that a slot is looked at no later than at `new`. An earlier deadline in `scheduled` stays: it
    /// is cheaper to look once in vain than to move the deadline with every byte.
    pub(crate) fn schedule(
        &mut self,
        slot: u32,
        scheduled: &mut Option<Moment>,
        new: Option<Moment>,
    ) {
        if new.is_some_and(|new| scheduled.is_none_or(|old| new < old)) {
            self.reschedule(slot, scheduled, new);
        }
    }

    /// Moves a slot's deadline from what is in `scheduled` to `new`.
    pub(crate) fn reschedule(
        &mut self,
        slot: u32,
        scheduled: &mut Option<Moment>,
        new: Option<Moment>,
    ) {
        if *scheduled == new {
            return;
        }
        if let Some(old) = *scheduled {
            self.remove(slot, old);
        }
        if let Some(new) = new {
            self.insert(slot, new);
        }
        *scheduled = new;
    }

    pub(crate) fn insert(&mut self, slot: u32, deadline: Moment) {
        self.queue.insert((deadline, slot));
    }

    pub(crate) fn remove(&mut self, slot: u32, deadline: Moment) {
        self.queue.remove(&(deadline, slot));
    }

    /// Takes out one slot whose deadline has passed.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<u32> {
        let (deadline, slot) = *self.queue.first()?;
        if self.clock(now).is_before(deadline) {
            return None;
        }
        self.queue.pop_first();
        Some(slot)
    }

    /// When the next deadline ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        let (deadline, _) = self.queue.first()?;
        Some(self.start + Duration::from_millis(deadline.0.get()))
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
        let late = timers.clock(start).after(Duration::from_millis(20));
        let early = timers.clock(start).after(Duration::from_millis(10));
        timers.insert(1, late);
        timers.insert(2, early);
        let mut scheduled = None;
        timers.reschedule(3, &mut scheduled, Some(early));
        timers.reschedule(3, &mut scheduled, None);
        assert_eq!(timers.expired(start + Duration::from_millis(9)), None);
        let then = start + Duration::from_millis(25);
        assert_eq!(timers.expired(then), Some(2));
        assert_eq!(timers.next(), Some(start + Duration::from_millis(20)));
        assert_eq!(timers.expired(then), Some(1));
        assert_eq!(timers.expired(then), None);
    }

    #[test]
    fn a_deadline_has_not_passed_in_its_last_millisecond() {
        let start = Instant::now();
        let timers = Timers::new(start);
        let at = |micros| timers.clock(start + Duration::from_micros(micros));
        let deadline = at(2_300).after(Duration::from_millis(10));
        assert!(at(12_900).passed() < deadline && at(12_900).is_before(deadline));
        assert!(at(13_000).passed() == deadline && !at(13_000).is_before(deadline));
    }

    #[test]
    fn an_earlier_deadline_stays_and_a_later_one_does_not() {
        let start = Instant::now();
        let mut timers = Timers::new(start);
        let [early, late] = [10, 20].map(|at| timers.clock(start).after(Duration::from_millis(at)));
        let mut scheduled = None;
        timers.schedule(1, &mut scheduled, Some(late));
        timers.schedule(1, &mut scheduled, Some(early));
        timers.schedule(1, &mut scheduled, Some(late));
        timers.schedule(1, &mut scheduled, None);
        assert_eq!(scheduled, Some(early));
        assert_eq!(timers.expired(start + Duration::from_millis(15)), Some(1));
        assert_eq!(timers.next(), None);
    }
}
