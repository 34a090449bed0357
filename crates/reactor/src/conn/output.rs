//! Writing: straight from the ring, and from a queue of what the kernel refused.

use super::{Conn, Input, Next, Phase};
use crate::control::Cause;
use crate::io::{BUDGET, Io};
use mio::{Registry, Token};
use std::io::{self, ErrorKind};

impl Conn {
    /// Sends bytes, or queues what the kernel does not take.
    pub(crate) fn write(&mut self, bytes: &[u8], slot: u32, generation: u32, io: &mut Io) -> Next {
        if self.phase != Phase::Open || self.broken.is_some() {
            return Next::Wait;
        }
        let Some(socket) = &self.socket else { return Next::Wait };
        let mut taken = 0;
        if self.outbound.is_none() && self.ready.writable {
            let result = socket.write(bytes);
            match self.took(result, bytes.len(), slot, generation, io) {
                Ok(count) => taken = count,
                Err(error) => return self.break_off(&error),
            }
        }
        if taken < bytes.len() {
            let queue = self.outbound.get_or_insert_default();
            queue.append(&bytes[taken..]);
            let limits = &self.listener.limits;
            if limits.auto_pause && queue.len() > limits.high_water && self.input == Input::Flowing
            {
                self.pauses.output = true;
            }
            if self.ready.writable {
                // A write cut short by a signal, say: no event will come.
                return self.send_queued(slot, generation, io);
            }
        }
        Next::Wait
    }

    /// Hears of room for more while something waits for it.
    pub(crate) fn watch_writes(&mut self, next: Next, registry: &Registry, token: Token) -> Next {
        let waits = self.outbound.is_some() && !self.ready.writable;
        match self.socket.as_mut().map(|socket| socket.watch_writes(waits, registry, token)) {
            Some(Err(error)) => Next::Close(Cause::system(&error)),
            _ => next,
        }
    }

    /// The user wants to know when the queue is at or below the low-water mark.
    pub(crate) fn ask(&mut self) {
        if self.notes.closed {
            return;
        }
        self.asked = true;
        self.answer();
    }

    /// The user wants to know when the kernel has everything written so far.
    pub(crate) fn flush(&mut self) {
        // What was written to a broken connection is lost, and its end says so.
        if self.notes.closed || self.broken.is_some() {
            return;
        }
        self.flush_at = Some(self.sent + self.outbound.as_ref().map_or(0, |q| q.len() as u64));
        self.answer();
    }

    /// Sends from the queue until it is empty, the kernel has enough, or the budget is used up.
    pub(super) fn send_queued(&mut self, slot: u32, generation: u32, io: &mut Io) -> Next {
        let mut budget = BUDGET as usize * 4;
        while self.ready.writable && budget > 0 {
            let (Some(queue), Some(socket)) = (&self.outbound, &self.socket) else { break };
            let mut vectors = Vec::with_capacity(16);
            queue.vectors(&mut vectors);
            let asked = vectors.iter().map(|vector| vector.len()).sum();
            let result = socket.write_vectored(&vectors);
            match self.took(result, asked, slot, generation, io) {
                Ok(count) => {
                    budget = budget.saturating_sub(count);
                    if let Some(queue) = &mut self.outbound {
                        queue.advance(count);
                        if queue.is_empty() {
                            self.outbound = None;
                        }
                    }
                }
                Err(error) => return self.break_off(&error),
            }
        }
        self.answer();
        match self.finish() {
            Next::Wait if self.outbound.is_some() && self.ready.writable => Next::Again,
            next => next,
        }
    }

    /// What a write says, for the flags and the counts: how many bytes the kernel took.
    fn took(
        &mut self,
        result: io::Result<usize>,
        asked: usize,
        slot: u32,
        generation: u32,
        io: &mut Io,
    ) -> io::Result<usize> {
        match result {
            Ok(count) => {
                self.sent += count as u64;
                io.shared.counters.sent(count as u64);
                io.shared.gauges.sent(slot, generation, self.sent);
                if count < asked && millrace_sys::SHORT_MEANS_DRAINED {
                    self.ready.writable = false;
                }
                Ok(count)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                    Ok(0)
                }
                ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            },
        }
    }

    /// Writing failed: nothing more goes out, what was received still comes in, then it closes.
    fn break_off(&mut self, error: &io::Error) -> Next {
        let cause = self.failure.unwrap_or(Cause::system(error));
        self.outbound = None;
        if self.pauses.user || self.input == Input::Finished {
            return Next::Close(cause);
        }
        self.broken = Some(cause);
        self.pauses.output = false;
        self.ready.readable = true;
        Next::Again
    }

    /// Answers what was asked, and lets reading go on, once enough is sent.
    fn answer(&mut self) {
        let queued = self.outbound.as_ref().map_or(0, |queue| queue.len());
        if queued <= self.listener.limits.high_water / 2 {
            self.pauses.output = false;
            if self.asked {
                self.asked = false;
                self.notes.drain = true;
            }
        }
        if self.flush_at.is_some_and(|mark| self.sent >= mark) {
            self.flush_at = None;
            self.notes.flushed = true;
        }
    }
}
