//! A connection whose input a pipe or a stream takes: it is delivered as bytes, or passed on to another connection of
//! the same loop.
//!
//! Only bytes are passed on here. The user hears of the end of the input and of the connection as always, and says
//! what that means for the other one.

use super::{Connection, Input};
use crate::inbound::{BUDGET, CHUNK, Inbound};
use crate::run_queue::Next;
use crate::timers::Clock;
use crate::transport::Received;
use bytes::BytesMut;
use millrace_ring::record::{Label, reason};
use std::mem;

/// Queued output of the other side, over which the input is not read.
const FULL: usize = 4 * CHUNK as usize;
/// Under this it is read again.
const LOW: usize = CHUNK as usize;

/// Names a connection of the loop: its slot and its generation.
pub(crate) type Name = (u32, u32);

/// A pipe or a stream has the input.
#[derive(Debug)]
pub(super) struct Relay {
    /// The other side of the pipe, if it is in this loop. Otherwise the input is delivered.
    to: Option<Name>,
    /// The user has passed on everything that came before.
    is_on: bool,
    /// The other side has too much to send.
    is_held: bool,
    /// What the user is told of the end of the input once what came before it is delivered.
    end: Option<u32>,
    /// Where in the output the bytes end that the user wrote. Those of the other side follow them.
    user_output: u64,
}

impl Connection {
    /// A pipe or a stream takes the input: the connection knows no frames any more, and how much output may wait is
    /// the business of whoever takes it. If it goes to another connection of this loop, it is not delivered any more,
    /// and is passed on from [`begin_relay`](Self::begin_relay) on.
    pub(crate) fn take_input(&mut self, to: Option<Name>, clock: Clock) {
        let user_output = self.sent + self.queued() as u64;
        let end = self.break_off_switch();
        if self.input == Input::Discarding && self.failure.is_none() && end.is_none() {
            // The user has been told that nothing more comes.
            self.rest = BytesMut::new();
        }
        let relay = Relay { to, is_on: false, is_held: false, end, user_output };
        self.cold.allocated().relay = Some(relay);
        self.pauses.output = false;
        self.forgive_broken_stream();
        self.break_up_partial();
        if !self.profile.framing.is_raw() {
            self.note_raw_message(true, clock);
        }
        self.tell_end_of_delivery();
    }

    /// Delivers what was read before the input was taken and is not a whole frame. Returns what the connection needs
    /// next.
    pub(super) fn deliver_rest_to_taker(&mut self, label: Label, inbound: &mut Inbound) -> Next {
        if let Some(next) = self.deliver_rest(label, inbound) {
            return next;
        }
        self.tell_end_of_delivery();
        Next::Again
    }

    /// If the stream could not be cut any further, that does not matter any more: its user has been told, and
    /// expects the rest.
    fn forgive_broken_stream(&mut self) {
        if !self.waits_after_failure() {
            return;
        }
        self.failure = None;
        self.notices.eof = None;
        if self.input == Input::Discarding {
            self.input = Input::Flowing;
            if self.cold.take_drain_owed() {
                self.drain();
            }
        } else if let Some(relay) = self.cold.relay_mut() {
            relay.end = Some(reason::NONE);
        }
    }

    /// Tells the user, once everything that was read before is delivered, if the loop passes on the rest by
    /// itself, or if there is no more.
    fn tell_end_of_delivery(&mut self) {
        let Some(relay) = self.cold.relay_mut() else { return };
        if !self.rest.is_empty() || self.notices.eof.is_some() {
            return;
        }
        if let Some(end) = relay.end.take() {
            self.notices.eof = Some(end);
        } else if relay.to.is_some() && self.input == Input::Flowing {
            self.notices.eof = Some(reason::TAKEN_OVER);
        }
    }

    /// The user has passed on everything that it was told.
    pub(crate) fn begin_relay(&mut self) {
        if let Some(relay) = self.cold.relay_mut() {
            relay.is_on = true;
        }
    }

    /// What is to be done with input that goes to another connection; `None` if it does not.
    pub(super) fn read_relayed(&self) -> Option<Next> {
        let relay = self.cold.relay().filter(|relay| relay.to.is_some())?;
        Some(if relay.is_on && !relay.is_held { Next::Relay } else { Next::Wait })
    }

    /// Where the input goes.
    pub(crate) fn relays_to(&self) -> Option<Name> {
        self.cold.relay()?.to
    }

    /// Whether a pipe or a stream has the input.
    pub(super) fn is_taken(&self) -> bool {
        self.cold.relay().is_some()
    }

    /// Whether the other side of its pipe may send more to it.
    pub(crate) fn has_room_for_relay(&self) -> bool {
        self.queued() <= LOW
    }

    /// The other side has room again; true if this one waited for that.
    pub(crate) fn end_relay_hold(&mut self) -> bool {
        self.cold.relay_mut().is_some_and(|relay| mem::take(&mut relay.is_held))
    }

    /// Passes on what there is, within the budget. Returns what both connections need next.
    pub(crate) fn relay_into(
        &mut self,
        to: &mut Self,
        slot: u32,
        (to_slot, to_generation): Name,
        inbound: &mut Inbound,
    ) -> (Next, Next) {
        let mut budget = BUDGET;
        let mut next_to = Next::Wait;
        while self.transport.is_readable() && self.input == Input::Flowing {
            if to.queued() >= FULL {
                if let Some(relay) = self.cold.relay_mut() {
                    relay.is_held = true;
                }
                break;
            }
            if budget == 0 {
                break;
            }
            let mut buffer = mem::take(&mut inbound.scratch);
            buffer.clear();
            let result = self.transport.read_behind(&mut buffer, CHUNK as usize);
            if let Received::Some(count) | Received::Last(count) = result {
                next_to = to.write_relayed(&buffer, to_slot, to_generation, inbound);
                self.received += count as u64;
                budget = budget.saturating_sub(count as u32);
            }
            inbound.scratch = buffer;
            match result {
                Received::Some(count) | Received::Last(count) => {
                    self.is_drained(count);
                }
                Received::End => {
                    if let close @ Next::Close(_) = self.input_ended(reason::NONE) {
                        return (close, next_to);
                    }
                }
                Received::Nothing => {}
                Received::Failed(error) => {
                    return (Next::Close(self.read_failure(&error)), next_to);
                }
            }
            if let Next::Close(_) = next_to {
                break;
            }
        }
        inbound.stats.counters.received(self.transport.take_wire_received());
        inbound.stats.gauges.received(slot, self.received);
        let is_held = self.is_relay_held();
        let next = if self.transport.is_readable() && !is_held && self.input == Input::Flowing {
            Next::Again
        } else if self.transport.is_readable() {
            Next::Wait
        } else {
            self.nothing_left()
        };
        let sends = self.send_queue.is_some() && self.transport.is_writable();
        (next.beside(if sends { Next::Again } else { Next::Wait }), next_to)
    }

    /// Sends bytes that the other side of its pipe has received, and queues what the kernel does not take.
    fn write_relayed(
        &mut self,
        bytes: &[u8],
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Next {
        if !self.accepts_output() {
            return Next::Wait;
        }
        self.send(bytes, slot, generation, inbound)
    }

    /// The user has written so many bytes before the other side's follow.
    pub(super) fn note_user_output(&mut self, count: usize) {
        if let Some(relay) = self.cold.relay_mut() {
            relay.user_output += count as u64;
        }
    }

    /// Where in the output the bytes end that the user wrote.
    pub(super) fn user_output(&self) -> u64 {
        let all = self.sent + self.queued() as u64;
        self.cold.relay().map_or(all, |relay| relay.user_output)
    }

    /// How many of the bytes that the user wrote the kernel has taken.
    pub(super) fn sent_for_user(&self) -> u64 {
        self.cold.relay().map_or(self.sent, |relay| self.sent.min(relay.user_output))
    }

    /// How many bytes of the user wait to be sent.
    pub(super) fn queued_for_user(&self) -> usize {
        let queued = self.queued();
        let waiting = self.user_output().saturating_sub(self.sent);
        queued.min(waiting as usize)
    }

    /// How many bytes of the other side of its pipe wait to be sent.
    pub(crate) fn queued_for_relay(&self) -> u64 {
        (self.queued() - self.queued_for_user()) as u64
    }

    /// The input is not read, because the other side of the pipe has too much to send.
    pub(super) fn is_relay_held(&self) -> bool {
        self.cold.relay().is_some_and(|relay| relay.is_held)
    }
}
