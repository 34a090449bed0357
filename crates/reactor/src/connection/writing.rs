//! Writing: straight from the ring, and from a queue of what the kernel refused.

use super::{Connection, Input, Output};
use crate::inbound::{BUDGET, Inbound};
use crate::notices::Cause;
use crate::poll::{Key, Registrar};
use crate::run_queue::Next;
use std::io;
use std::num::NonZeroU64;

impl Connection {
    /// Sends bytes, and queues what the kernel does not take.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Next {
        if !self.accepts_output() {
            return Next::Wait;
        }
        self.last_write = Some(inbound.tick);
        self.note_user_output(bytes.len());
        self.send(bytes, slot, generation, inbound)
    }

    /// What follows from its own input was written: stops reading if too much waits. What others have written to it
    /// does not stop it, since they may wait for what it receives.
    pub(crate) fn hold_back_if_full(&mut self) {
        let options = &self.profile.options;
        let is_over = options.auto_pause && self.queued() > options.high_water;
        // The sides of a pipe would wait for each other for ever.
        if is_over && self.input == Input::Flowing && !self.is_taken() && self.draining.is_none() {
            self.pauses.output = true;
            self.cold.allocated().replied_until = self.user_output();
        }
    }

    /// Whether there is still somebody to send to.
    pub(super) fn accepts_output(&self) -> bool {
        self.output == Output::Open && self.broken.is_none() && self.transport.is_open()
    }

    /// How many bytes wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.send_queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Sends bytes, and queues what the kernel does not take.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Next {
        let mut taken = 0;
        if self.send_queue.is_none() && self.transport.is_writable() {
            match self.transport.write(bytes) {
                Ok(count) => taken = count,
                Err(error) => return self.lost(&error),
            }
            self.count_sent(taken, slot, generation, inbound);
        }
        if taken < bytes.len() {
            let queue = self.send_queue.get_or_insert_default();
            queue.append(&bytes[taken..], &mut inbound.segments);
            if self.transport.is_writable() {
                // A signal cut the write short, for example: no event will come.
                return self.send_queued(slot, generation, inbound);
            }
        }
        Next::Wait
    }

    /// Watches for room in the kernel while something waits for it.
    pub(crate) fn watch_writes(&mut self, next: Next, registrar: Registrar<'_>, key: Key) -> Next {
        let waits = self.send_queue.is_some();
        match self.transport.watch_writes(waits, registrar, key) {
            Err(error) => Next::Close(self.first_cause(error)),
            Ok(()) => next,
        }
    }

    /// The user asks to be told when the queue is at or below the low-water mark.
    pub(crate) fn ask_for_drain(&mut self) {
        if self.notices.closed {
            return;
        }
        self.drain_asked = true;
        if self.send_queue.is_some() {
            self.cold.allocated().asked_until = self.user_output();
        }
        self.note_progress();
    }

    /// The user asks to be told when the kernel has everything that was written so far.
    pub(crate) fn ask_for_flush(&mut self) {
        // What was written to a broken connection is lost, and its closing says so.
        if self.notices.closed || self.broken.is_some() {
            return;
        }
        // With what the other side of its pipe has passed on.
        match NonZeroU64::new(self.sent + self.queued() as u64) {
            Some(mark) => self.flush_at = Some(mark),
            // Nothing was written so far.
            None => self.notices.flushed = true,
        }
        self.note_progress();
    }

    /// Sends from the queue until it is empty, the kernel has no room, or the budget is used up.
    pub(super) fn send_queued(
        &mut self,
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Next {
        let mut budget = BUDGET as usize * 4;
        while self.transport.is_writable() && budget > 0 {
            let Some(queue) = &mut self.send_queue else { break };
            if !self.transport.is_open() {
                break;
            }
            let mut vectors = Vec::with_capacity(16);
            queue.vectors(&mut vectors);
            let count = match self.transport.write_vectored(&vectors) {
                Ok(count) => count,
                Err(error) => return self.lost(&error),
            };
            budget = budget.saturating_sub(count);
            queue.advance(count, &mut inbound.segments);
            if queue.is_empty() {
                self.send_queue = None;
            }
            self.count_sent(count, slot, generation, inbound);
        }
        self.note_progress();
        match self.finish() {
            Next::Wait if self.send_queue.is_some() && self.transport.is_writable() => Next::Again,
            next => next,
        }
    }

    /// Counts what was sent.
    fn count_sent(&mut self, count: usize, slot: u32, generation: u32, inbound: &mut Inbound) {
        self.sent += count as u64;
        inbound.stats.counters.sent(self.transport.take_wire_sent());
        inbound.stats.gauges.sent(slot, generation, self.sent_for_user());
    }

    /// Writing failed, or the peer has reset the connection: nothing more is sent. What was received by now is still
    /// delivered, though reading may have been stopped, then the connection closes.
    pub(super) fn lost(&mut self, error: &io::Error) -> Next {
        let cause = self.failure.unwrap_or(Cause::system(error));
        self.send_queue = None;
        let is_all_told = self.input == Input::Finished && !self.has_switch();
        if self.is_relay_held() || is_all_told {
            return Next::Close(cause);
        }
        self.broken = Some(cause);
        // A peer that has shut down only what it receives could go on sending for ever. With the FIN behind it.
        let held = (self.transport.unread() as u32).saturating_add(1);
        self.draining.get_or_insert(held);
        self.transport.expect_input();
        Next::Again
    }

    /// Tells the user what it asked for, and lets reading go on, once enough is sent: down to half of the mark, or all
    /// that it is about. Others may keep the queue over half of the mark for as long as they like.
    fn note_progress(&mut self) {
        let is_low = self.queued_for_user() <= self.profile.options.high_water / 2;
        let sent = self.sent_for_user();
        if self.pauses.output && (is_low || sent >= self.cold.replied_until()) {
            self.pauses.output = false;
        }
        if self.drain_asked && (is_low || sent >= self.cold.asked_until()) {
            self.drain_asked = false;
            self.notices.drain = true;
        }
        if self.flush_at.is_some_and(|mark| self.sent >= mark.get()) {
            self.flush_at = None;
            self.notices.flushed = true;
        }
    }
}
