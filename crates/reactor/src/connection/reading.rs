//! Reading: raw bytes straight into the ring, frames through `framed.rs`.

use super::{Connection, Input};
use crate::inbound::{BUDGET, CHUNK, Inbound, Until};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::transport::Received;
use bytes::{Buf, BytesMut};
use millrace_ring::record::{Label, kind, reason};
use std::{io, mem};

/// A shorter record is not worth a raw read: better to begin again at the ring's start.
const MIN_RAW: u32 = 2 << 10;

impl Connection {
    /// Reads and passes on what there is, within the budget.
    pub(super) fn read(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> Next {
        if let Some(next) = self.read_switched(slot, generation, inbound) {
            return next;
        }
        let is_taken = self.is_taken();
        if is_taken && !self.rest.is_empty() {
            if self.is_paused() {
                return Next::Wait;
            }
            return self
                .deliver_rest_to_taker(Label { slot, generation, kind: kind::DATA }, inbound);
        }
        match self.input {
            Input::Flowing => {}
            // The user may be at work on what came before the bad frame: TCP stops the peer meanwhile.
            Input::Discarding if self.waits_after_failure() => return Next::Wait,
            Input::Discarding => return self.read_discarding(inbound),
            Input::Finished => return self.finish(),
        }
        if self.is_paused() || self.notices.opening.is_some() {
            return Next::Wait;
        }
        if !self.transport.is_readable() && self.rest.is_empty() {
            return Next::Wait;
        }
        if let Some(next) = self.read_relayed() {
            return next;
        }
        if let Some(until) = self.scheduling.credit.blocks(inbound) {
            return Next::Hold(until);
        }
        let start = inbound.ring.position();
        let before = self.received;
        let next = if is_taken || self.profile.framing.is_raw() {
            self.read_raw(slot, generation, inbound)
        } else {
            self.read_framed(slot, generation, inbound)
        };
        if self.received != before {
            inbound.stats.counters.received(self.transport.take_wire_received());
            inbound.stats.gauges.received(slot, self.received);
        }
        match next {
            Next::Again if inbound.ring.position() != start => {
                Next::Hold(self.scheduling.credit.use_up(inbound))
            }
            Next::Wait if !self.transport.is_readable() => self.nothing_left(),
            _ => next,
        }
    }

    /// The stream is broken, and its user is not done with what came before.
    pub(super) fn waits_after_failure(&self) -> bool {
        self.failure.is_some() && !self.is_input_done && self.broken.is_none()
    }

    /// Everything that was there is passed on: does what had to wait for that.
    pub(super) fn nothing_left(&mut self) -> Next {
        if let Some(cause) = self.broken {
            return Next::Close(cause);
        }
        if self.draining.is_some() && self.input == Input::Flowing {
            self.end_drained_input();
            return Next::Again;
        }
        if self.input == Input::Finished { self.finish() } else { Next::Wait }
    }

    fn read_raw(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> Next {
        let label = Label { slot, generation, kind: kind::DATA };
        let mut budget = BUDGET;
        while self.transport.is_readable() {
            if budget == 0 {
                return Next::Again;
            }
            let want = CHUNK.min(inbound.largest()).min(budget);
            let leave = inbound.control_room();
            let Some(mut place) = inbound.ring.reserve(want.min(MIN_RAW), want, leave) else {
                return Next::Hold(Until::Room);
            };
            match self.transport.read(place.bytes()) {
                Received::Some(count) | Received::Last(count) => {
                    place.commit(label, count as u32);
                    self.received += count as u64;
                    inbound.stats.counters.records_in(1);
                    budget = budget.saturating_sub(count as u32);
                    if self.is_drained(count) {
                        return Next::Wait;
                    }
                }
                Received::End => return self.input_ended(reason::NONE),
                Received::Nothing => {}
                Received::Failed(error) => return Next::Close(self.read_failure(&error)),
            }
        }
        Next::Wait
    }

    /// Delivers what was read before, as the bytes that it is. Returns what has to happen before that can go on; `None`
    /// when all of it is delivered.
    pub(super) fn deliver_rest(&mut self, label: Label, inbound: &mut Inbound) -> Option<Next> {
        while !self.rest.is_empty() {
            let most = self.rest.len().min(inbound.largest() as usize);
            if !inbound.data(label, &[], &self.rest[..most]) {
                return Some(Next::Hold(Until::Room));
            }
            self.rest.advance(most);
        }
        self.rest = BytesMut::new();
        None
    }

    /// Why the connection is closed after a failed read: if a write failed before, because of that.
    pub(super) fn read_failure(&self, error: &io::Error) -> Cause {
        self.broken.unwrap_or(Cause::system(error))
    }

    /// Counts down what the kernel held when the server began to close; true at the last of it.
    pub(super) fn is_drained(&mut self, count: usize) -> bool {
        let Some(left) = &mut self.draining else { return false };
        *left = left.saturating_sub(count as u32);
        if *left == 0 {
            self.transport.stop_reading();
        }
        *left == 0
    }

    /// The input ended: with the peer's FIN, in good order or in the middle of a frame.
    pub(super) fn input_ended(&mut self, reason: u32) -> Next {
        if let Some(cause) = self.broken.filter(|cause| !cause.is_after_end()) {
            // The failed write took the error of a reset: this is not the peer's FIN.
            return Next::Close(cause);
        }
        self.input = Input::Finished;
        self.notices.eof = Some(reason);
        if reason != reason::NONE {
            self.failure = Some(Cause::of(reason));
        }
        Next::Wait
    }

    /// The stream cannot be cut any further: what came before is delivered and answered, and the connection ends
    /// with this error. The rest is kept until the user is done, because a pipe would take it as it is.
    pub(super) fn stream_broken(&mut self, reason: u32) -> Next {
        if self.draining.is_some() {
            self.cold.allocated().drain_owed = true;
        }
        self.discard();
        self.notices.eof = Some(reason);
        self.failure = Some(Cause::of(reason));
        Next::Again
    }

    /// Reads and drops what comes in, until the peer's FIN.
    fn read_discarding(&mut self, inbound: &mut Inbound) -> Next {
        let mut budget = BUDGET;
        while self.transport.is_readable() {
            if budget == 0 {
                return Next::Again;
            }
            let mut buffer = mem::take(&mut inbound.scratch);
            buffer.clear();
            let result = self.transport.read_behind(&mut buffer, CHUNK as usize);
            inbound.scratch = buffer;
            self.received += result.count() as u64;
            match result {
                Received::Some(_) | Received::Last(_) if self.is_flooded() => {
                    return Next::Close(self.failure.unwrap_or(Cause::NONE));
                }
                Received::Some(count) | Received::Last(count) => {
                    budget = budget.saturating_sub(count as u32);
                }
                Received::End => self.input = Input::Finished,
                Received::Nothing => {}
                Received::Failed(error) => {
                    let cause = self.read_failure(&error);
                    return Next::Close(self.failure.unwrap_or(cause));
                }
            }
        }
        if let Some(cause) = self.broken {
            return Next::Close(cause);
        }
        self.finish()
    }

    /// Drops the input from here on.
    pub(super) fn discard(&mut self) {
        self.rest = BytesMut::new();
        self.partial = None;
        self.cold.take_switch();
        if self.input == Input::Flowing {
            self.input = Input::Discarding;
            self.draining = None;
            self.pauses = super::Pauses::default();
        }
    }
}
