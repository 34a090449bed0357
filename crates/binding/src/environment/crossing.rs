//! What an environment does again and again: it writes the ring positions into the control words, takes
//! those of JavaScript, and turns inline loops.

use super::{Environment, find};
use crate::control::{self, at};
use millrace_reactor::Turn;
use napi::{Error, Result};
use std::time::Instant;

/// Updates the control words before the threadsafe function calls the pump.
pub(crate) fn look(handle: u32) {
    if let Ok(environment) = find(handle) {
        environment.poll();
    }
}

/// Does what JavaScript asks with `commit`.
pub(crate) fn commit(handle: u32) -> Result<()> {
    let environment = find(handle)?;
    let news = environment.commit(environment.words.get(control::REST) == 1)?;
    environment.words.set(control::NEWS, u32::from(news));
    Ok(())
}

/// Turns an inline loop for which Node's own loop saw events.
pub(super) fn turn_from_uv(handle: u32, group: u32) {
    let Ok(environment) = find(handle) else { return };
    let before = environment.deadline_of(group as usize);
    environment.turn(group as usize, true);
    let news = environment.poll();
    // The pump is also called if there are no records but the loop needs another turn, now or later, because
    // JavaScript schedules it.
    if news
        || environment.words.get(control::PENDING) != 0
        || environment.deadline_of(group as usize) != before
    {
        environment.pump.call();
    }
}

impl Environment {
    /// Writes the ring positions into the control words; true if there is something for JavaScript to do.
    pub(crate) fn poll(&self) -> bool {
        let mut news = false;
        for (index, entry) in self.loops.borrow().iter().enumerate() {
            let Some(entry) = entry else { continue };
            // Read before the tail, so that nothing is missed that a loop published before it died.
            let dead = !entry.handle.is_alive();
            let tail = entry.inbound.tail();
            let head = entry.outbound.head();
            let waits = self.words.get(at(index, control::WAITS)) != 0;
            news |= tail != self.words.get(at(index, control::IN_HEAD))
                || (waits && head != self.words.get(at(index, control::OUT_HEAD)));
            news |= dead && self.words.get(at(index, control::BURIED)) == 0;
            self.words.set(at(index, control::IN_TAIL), tail);
            self.words.set(at(index, control::OUT_HEAD), head);
            self.words.set(at(index, control::DEAD), u32::from(dead));
        }
        self.words.set(control::DEADLINE, self.wait().cast_unsigned());
        news
    }

    /// Takes what JavaScript did since the last call, and wakes the loops concerned. With `rest` JavaScript
    /// wants to sleep; true if there is something to do first.
    fn commit(&self, rest: bool) -> Result<bool> {
        let count = self.loops.borrow().len();
        for index in 0..count {
            if let Some(group) = self.take(index)? {
                self.turn(group, false);
            }
        }
        if !rest {
            return Ok(self.poll());
        }
        Ok(self.bell.doorbell.rest_unless(|| {
            self.await_room();
            self.poll()
        }))
    }

    /// Makes the loops ring for whose room JavaScript waits.
    fn await_room(&self) {
        for (index, entry) in self.loops.borrow().iter().enumerate() {
            if let Some(entry) = entry
                && self.words.get(at(index, control::WAITS)) != 0
            {
                entry.handle.await_room();
            }
        }
    }

    /// Takes JavaScript's positions for one loop, and wakes the loop. Returns its group if that is inline and
    /// has to be turned.
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

    /// Gives an inline loop a turn; with `events`, the loop asks the kernel for events.
    pub(crate) fn turn(&self, group: usize, events: bool) {
        let mut groups = self.groups.borrow_mut();
        let Some(Some(member)) = groups.get_mut(group) else { return };
        let turn = if events { member.group.turn() } else { member.group.work() };
        let turn = turn.unwrap_or(Turn { pending: false, next_deadline: None });
        member.deadline = turn.next_deadline;
        // Not cleared here, because another inline loop may have set it.
        if turn.pending {
            self.words.set(control::PENDING, 1);
        }
    }

    /// Milliseconds until the first inline loop needs its next turn; -1 is never.
    fn wait(&self) -> i32 {
        let groups = self.groups.borrow();
        let deadline = groups.iter().flatten().filter_map(|member| member.deadline).min();
        deadline.map_or(-1, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            left.as_millis().min(i32::MAX as u128 - 1) as i32 + 1
        })
    }

    /// Gives every inline loop a turn.
    pub(crate) fn turn_all(&self) {
        let count = self.groups.borrow().len();
        for group in (0..count).filter(|group| self.is_inline(*group)) {
            self.turn(group, true);
        }
    }
}
