//! What a loop does in a turn, in which order, and when it may sleep.

use super::{EventLoop, UNTOLD};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What is left to do after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Something can go on at once: call again without waiting.
    pub pending: bool,
    /// Call again at this time at the latest, even without an event.
    pub next_deadline: Option<Instant>,
}

impl EventLoop {
    /// Waits for events until the deadline of the last turn, unless there is something to do already, and
    /// has a turn.
    ///
    /// # Panics
    /// If the other side of a ring broke its rules, or on a bug; the caller isolates it.
    pub fn wait_and_turn(&mut self, last: Turn) -> Turn {
        let mut timeout = last.next_deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if last.pending || self.rest() {
            timeout = Some(Duration::ZERO);
        }
        self.wake_after(timeout);
        self.advance(Self::take_events_twice)
    }

    /// Prepares to sleep: from here on, other threads that publish something ring. True if there is
    /// something to do already.
    pub fn rest(&mut self) -> bool {
        let wants_room = self.waits_for_room() || self.inbound.holds_any();
        self.handle.0.alarm.doorbell.rest(wants_room);
        // The second look: what came before the rest does not ring.
        !self.outbound.is_empty()
            || self.untold.len() < UNTOLD && !self.handle.0.handoff.is_empty()
            || !self.handle.0.commands.is_empty()
            || self.handle.0.stop.load(Ordering::Acquire)
            // Another loop may have freed a place for what this one has to accept.
            || self.can_accept()
            || self.has_room_that_is_waited_for()
    }

    /// Waits for events, no longer than `timeout`, and does what there is to do: reads and writes
    /// sockets, takes records and hands over others, accepts, closes.
    ///
    /// # Panics
    /// If the other side of a ring broke its rules, or on a bug; the caller isolates it.
    pub fn turn(&mut self, timeout: Option<Duration>) -> Turn {
        self.wake_after(timeout);
        self.work()
    }

    /// Has a turn without waiting, for a driver that saw that the poll has events.
    ///
    /// # Panics
    /// If the other side of a ring broke its rules, or on a bug; the caller isolates it.
    pub fn turn_now(&mut self) -> Turn {
        self.handle.0.alarm.doorbell.rise();
        self.advance(Self::take_likely_events)
    }

    /// Has a turn without asking the kernel for events.
    ///
    /// # Panics
    /// If the other side of a ring broke its rules, or on a bug; the caller isolates it.
    pub fn work(&mut self) -> Turn {
        self.advance(Self::take_events)
    }

    /// Has a turn, with the given way to take the kernel's events.
    fn advance<T>(&mut self, take_events: impl FnOnce(&mut Self) -> T) -> Turn {
        self.inbound.now = Instant::now();
        self.inbound.tick = self.timers.clock(self.inbound.now).tick();
        self.inbound.stats.counters.turns(1);
        self.recycle_connections();
        // As many as are queued now: a socket that is queued during this turn goes on in the next.
        let (ready, held) = (self.run_queue.len(), self.inbound.held_for_room());
        for _ in 0..held {
            // They go on before other sockets have their events.
            let Some(slot) = self.inbound.next_with_room() else { break };
            self.go_on_after_hold(slot);
        }
        self.inbound.queue_behind_held();
        take_events(self);
        self.inbound.publish();
        self.take_commands();
        self.take_records();
        self.accept();
        for _ in 0..ready {
            self.go_on_with_next_ready();
        }
        while let Some(slot) = self.inbound.next_with_budget() {
            self.go_on_after_hold(slot);
        }
        self.expire();
        self.bound_last_replies();
        self.dial_again();
        self.refuse_late_headers();
        self.watch_again();
        self.send_again();
        self.tell();
        self.inbound.publish();
        self.dials.recycle();
        self.awaited_headers.recycle();
        self.datagrams.recycle();
        Turn { pending: self.is_pending(), next_deadline: self.next_deadline() }
    }

    /// Frees the slots of connections that the user knows to be closed.
    fn recycle_connections(&mut self) {
        let ring = &mut self.inbound.ring;
        // The last turn has told of all that it closed, before this position.
        let position = ring.position();
        self.connections.recycle_when_read(position, |position| ring.is_consumed(position));
    }

    /// Whether anything waits for room in the inbound ring.
    fn waits_for_room(&self) -> bool {
        self.inbound.held_for_room() > 0 || !self.untold.is_empty() || !self.loop_notices.is_empty()
    }

    /// Whether the user has consumed what something waits for.
    fn has_room_that_is_waited_for(&mut self) -> bool {
        self.waits_for_room() && self.inbound.has_room() || self.inbound.has_budget()
    }

    fn is_pending(&self) -> bool {
        !self.run_queue.is_empty() || self.can_accept()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let retry = self.listeners.next_retry().filter(|_| self.untold.len() < UNTOLD);
        let headers = self.awaited_headers.next_deadline();
        let (watches, starved) = (self.unwatched.next_retry(), self.starved.next_retry());
        let dials = self.dials.next_deadline();
        let all = [self.timers.next(), retry, dials, headers, watches, starved];
        all.into_iter().flatten().min()
    }
}
