//! What an environment does over and over: shows where the rings stand, takes what JavaScript did, turns
//! inline loops.

use super::{Environment, find};
use crate::control::{self, at};
use millrace_reactor::Turn;
use napi::{Error, Result};
use std::time::Instant;

/// The threadsafe function was called: shows JavaScript where the rings stand.
pub(crate) fn look(handle: u32) {
    if let Ok(environment) = find(handle) {
        environment.poll();
    }
}

/// JavaScript calls `commit`.
pub(crate) fn commit(handle: u32) -> Result<()> {
    let environment = find(handle)?;
    let news = environment.commit(environment.words.get(control::REST) == 1)?;
    environment.words.set(control::NEWS, u32::from(news));
    Ok(())
}

/// Node's loop saw events for an inline loop.
pub(super) fn turn_from_uv(handle: u32, group: u32) {
    let Ok(environment) = find(handle) else { return };
    let before = environment.deadline_of(group as usize);
    environment.turn(group as usize, true);
    let news = environment.poll();
    // With nothing to tell, too, if the loop wants another turn, now or later: JavaScript schedules it.
    if news
        || environment.words.get(control::PENDING) != 0
        || environment.deadline_of(group as usize) != before
    {
        environment.pump.call();
    }
}

impl Environment {
    /// Shows where the rings stand; true if there is something for JavaScript to do.
    pub(crate) fn poll(&self) -> bool {
        let mut news = false;
        for (index, entry) in self.loops.borrow().iter().enumerate() {
            let Some(entry) = entry else { continue };
            // Before the tail: what a loop published before it died is not to be missed.
            let dead = !entry.handle.is_alive();
            let tail = entry.inbound.tail();
            let head = entry.outbound.head();
            let waits = self.words.get(at(index, control::WAITS)) != 0;
            news |= if waits {
                head != self.words.get(at(index, control::OUT_HEAD))
            } else {
                tail != self.words.get(at(index, control::IN_HEAD))
            };
            news |= dead && self.words.get(at(index, control::BURIED)) == 0;
            self.words.set(at(index, control::IN_TAIL), tail);
            self.words.set(at(index, control::OUT_HEAD), head);
            self.words.set(at(index, control::DEAD), u32::from(dead));
        }
        self.words.set(control::DEADLINE, self.wait().cast_unsigned());
        news
    }

    /// Takes what JavaScript did since the last time, and wakes the loops that it concerns. With
    /// `rest` JavaScript wants to sleep: false if it should not.
    fn commit(&self, rest: bool) -> Result<bool> {
        let count = self.loops.borrow().len();
        for index in 0..count {
            if let Some(group) = self.take(index)? {
                self.turn(group, false);
            }
        }
        if rest {
            self.bell.doorbell.rest(false);
            for (index, entry) in self.loops.borrow().iter().enumerate() {
                if let Some(entry) = entry
                    && self.words.get(at(index, control::WAITS)) != 0
                {
                    entry.handle.await_room();
                }
            }
        }
        // The second look, after the rest.
        let news = self.poll();
        if rest && news {
            self.bell.doorbell.rise();
        }
        Ok(news)
    }

    /// Takes the positions of one loop, and wakes it; its group, if that is inline and has to be turned.
    fn take(&self, index: usize) -> Result<Option<usize>> {
        let mut loops = self.loops.borrow_mut();
        let Some(Some(entry)) = loops.get_mut(index) else { return Ok(None) };
        let broken = |error: millrace_ring::PositionError| Error::from_reason(error.to_string());
        let head = self.words.get(at(index, control::IN_HEAD));
        let tail = self.words.get(at(index, control::OUT_TAIL));
        let consumed = entry.inbound.release(head).map_err(broken)?;
        let written = entry.outbound.publish(tail).map_err(broken)?;
        if self.is_inline(entry.group) {
            return Ok((written || consumed).then_some(entry.group));
        }
        if written {
            entry.handle.wake();
        } else if consumed {
            let inbound = &entry.inbound;
            entry.handle.wake_for_room(|| inbound.is_half_free());
        }
        Ok(None)
    }

    pub(super) fn is_inline(&self, group: usize) -> bool {
        matches!(self.groups.borrow().get(group), Some(Some(member)) if member.inline)
    }

    fn deadline_of(&self, group: usize) -> Option<Instant> {
        self.groups.borrow().get(group)?.as_ref()?.deadline
    }

    /// A turn of an inline loop; with `events`, the kernel is asked for some.
    pub(crate) fn turn(&self, group: usize, events: bool) {
        let mut groups = self.groups.borrow_mut();
        let Some(Some(member)) = groups.get_mut(group) else { return };
        let turn = if events { member.group.turn() } else { member.group.work() };
        let turn = turn.unwrap_or(Turn { pending: false, next_deadline: None });
        member.deadline = turn.next_deadline;
        // Not cleared here: another inline loop may have set it.
        if turn.pending {
            self.words.set(control::PENDING, 1);
        }
    }

    /// Milliseconds until the first of the inline loops wants its turn, -1 for never.
    fn wait(&self) -> i32 {
        let groups = self.groups.borrow();
        let deadline = groups.iter().flatten().filter_map(|member| member.deadline).min();
        deadline.map_or(-1, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            left.as_millis().min(i32::MAX as u128 - 1) as i32 + 1
        })
    }

    /// A turn of every inline loop.
    pub(crate) fn turn_all(&self) {
        let count = self.groups.borrow().len();
        for group in (0..count).filter(|group| self.is_inline(*group)) {
            self.turn(group, true);
        }
    }
}
