//! Switching: the input goes on under another framing, at the first byte that the user has not dealt with.
//!
//! ```text
//!  user: SWITCH ──────────────► nothing is read or delivered any more
//!        ◄── EOF (SWITCHED) ──  all that was read before is in the ring, or in `rest`
//!        RETURN … ────────────► what the user had got and not dealt with, in front of `rest`
//!        FRAMING ─────────────► all of it is delivered under the new framing, and then reading goes on
//! ```
//! Bytes come to the user as they came from the wire, and so they come back. What the loop had found out about the end
//! of the input, or about a frame that it could not cut, does not count any more: it is found out again.

use super::framed::{Cut, MOST_FRAMES};
use super::{Connection, Input};
use crate::framing::{Framing, LengthField, VarintField};
use crate::inbound::{Inbound, Until};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::Clock;
use bytes::BytesMut;
use millrace_ring::record::{self, Label, framing, kind, reason};
use std::mem;
use std::sync::Arc;

/// A switch that is not complete.
#[derive(Debug)]
pub(super) struct Switch {
    /// What the user has given back by now; `None` once that is all, and in front of `rest`.
    returned: Option<BytesMut>,
    /// What the user is told behind the rest, if no more input comes.
    end: Option<u32>,
}

impl Connection {
    /// The user wants another framing: stops reading, and says that all that was read before is delivered.
    pub(crate) fn begin_switch(&mut self) {
        let is_closing = self.is_input_done || !self.transport.is_open();
        if is_closing || self.is_taken() || (self.failure.is_some() && self.broken.is_some()) {
            return;
        }
        self.break_up_partial();
        let mut is_drain_owed = false;
        if self.failure.take().is_some() && self.input == Input::Discarding {
            // The stream could not be cut any further, which does not matter any more.
            self.input = Input::Flowing;
            is_drain_owed = self.cold.take_drain_owed();
        }
        // Of the last switch, whose rest may not be delivered yet.
        let last_end = self.cold.take_switch().and_then(|last| last.end);
        let drained = self.drain_reason();
        let end = match self.input {
            Input::Flowing => None,
            Input::Discarding => Some(drained),
            Input::Finished if self.notices.eof == Some(drained) => Some(drained),
            Input::Finished => Some(last_end.unwrap_or(reason::NONE)),
        };
        self.cold.allocated().switch = Some(Switch { returned: Some(BytesMut::new()), end });
        self.notices.eof = Some(reason::SWITCHED);
        if is_drain_owed {
            self.drain();
        }
    }

    /// The user gives back bytes that it has not dealt with.
    pub(crate) fn take_back(&mut self, bytes: &[u8]) {
        if let Some(Switch { returned: Some(returned), .. }) = self.cold.switch_mut() {
            returned.extend_from_slice(bytes);
        }
    }

    /// The user has given everything back, and names the framing.
    pub(crate) fn end_switch(&mut self, payload: &[u8], clock: Clock) {
        let Some(switch) = self.cold.switch_mut() else { return };
        let Some(returned) = switch.returned.take() else { return };
        let flows = switch.end.is_none();
        self.put_back(returned);
        self.searched = 0;
        let framing = decode(payload);
        let is_raw = framing.is_raw();
        self.cold.allocated().few_frames = Some(1);
        self.profile = Arc::new(self.profile.with_framing(framing));
        if is_raw {
            // The user says from here on where messages begin.
            self.note_raw_message(true, clock);
        }
        if flows && (!is_raw || self.rest.is_empty()) {
            // Frames are cut off the rest as always, before more is read.
            self.cold.take_switch();
        }
        if self.draining.is_some() && self.pauses.user && self.has_nothing_received() {
            // There is nothing that the pause would hold back.
            self.end_drained_input();
        }
    }

    /// A pipe or a stream takes the input before the switch is complete, and framings matter no more. Returns what the
    /// user is to be told behind the rest.
    pub(super) fn break_off_switch(&mut self) -> Option<u32> {
        let switch = self.cold.take_switch()?;
        if let Some(returned) = switch.returned {
            self.put_back(returned);
        }
        self.notices.eof.take_if(|told| *told == reason::SWITCHED);
        switch.end
    }

    /// Puts what the user has given back in front of the rest.
    fn put_back(&mut self, mut returned: BytesMut) {
        if !returned.is_empty() {
            returned.extend_from_slice(&self.rest);
            self.rest = returned;
        }
    }

    /// How many frames it may have waiting in the ring.
    ///
    /// All that is cut ahead of a switch has to come back and is cut again. A user who switches at each message, as
    /// from a line to the bytes that it counts and back, would pay for everything that the peer has sent ahead each
    /// time. So a connection that has switched begins with one frame.
    pub(super) fn most_frames(&self) -> u32 {
        self.cold.few_frames().unwrap_or(MOST_FRAMES)
    }

    /// The user gets as many frames as it may have. If it takes them without a switch, it may have twice as many.
    pub(super) fn allow_more_frames(&mut self) {
        if let Some(few) = self.cold.few_frames() {
            let more = few * 2;
            self.cold.allocated().few_frames = (more < MOST_FRAMES).then_some(more);
        }
    }

    /// The user has not given everything back yet.
    pub(super) fn is_switching(&self) -> bool {
        self.cold.switch().is_some_and(|switch| switch.returned.is_some())
    }

    /// Something is left to do for a switch.
    pub(super) fn has_switch(&self) -> bool {
        self.cold.switch().is_some()
    }

    /// The input ends, because the server closes, say. Returns whether a switch is not complete: then the user is told of
    /// the end behind the rest.
    pub(super) fn ends_after_switch(&mut self, reason: u32) -> bool {
        let switch = self.cold.switch_mut();
        switch.map(|switch| switch.end = Some(reason)).is_some()
    }

    /// What is to be done instead of reading; `None` if nothing is left of a switch.
    pub(super) fn read_switched(
        &mut self,
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Option<Next> {
        let switch = self.cold.switch()?;
        if switch.returned.is_some() || (self.is_paused() && !self.rest.is_empty()) {
            return Some(Next::Wait);
        }
        if let Some(until) = self.scheduling.credit.blocks(inbound) {
            return Some(Next::Hold(until));
        }
        let label = Label { slot, generation, kind: kind::DATA };
        let is_raw = self.profile.framing.is_raw();
        let next =
            if is_raw { self.deliver_rest(label, inbound) } else { self.cut_rest(label, inbound) };
        Some(next.unwrap_or_else(|| self.switch_done()))
    }

    /// Delivers the frames of the rest, behind which nothing comes. Returns what has to happen before it can go on;
    /// `None` when that was all.
    fn cut_rest(&mut self, label: Label, inbound: &mut Inbound) -> Option<Next> {
        let mut rest = mem::take(&mut self.rest);
        let mut frames = self.most_frames();
        let cut = self.cut(label, &mut rest, &mut frames, inbound);
        let next = match cut {
            Cut::Through => None,
            Cut::Enough => {
                self.allow_more_frames();
                Some(Next::Hold(self.scheduling.credit.use_up(inbound)))
            }
            Cut::Starved => Some(Next::Hold(Until::Room)),
            Cut::Bad(reason) => {
                let is_drained = self.input == Input::Discarding;
                self.cold.take_switch();
                let next = self.stream_broken(reason);
                self.cold.allocated().drain_owed |= is_drained;
                Some(next)
            }
        };
        self.rest = rest;
        next
    }

    /// The rest is delivered: reads on, or tells the end again.
    fn switch_done(&mut self) -> Next {
        let end = self.cold.take_switch().and_then(|switch| switch.end);
        let Some(end) = end else { return Next::Again };
        if let Some(cause) = self.broken {
            return Next::Close(cause);
        }
        if end == reason::NONE && !self.rest.is_empty() {
            self.notices.eof = Some(reason::FRAME_INCOMPLETE);
            self.failure = Some(Cause::of(reason::FRAME_INCOMPLETE));
        } else {
            self.rest = BytesMut::new();
            self.notices.eof = Some(end);
        }
        Next::Again
    }
}

/// Reads the payload of a `FRAMING` record, which JavaScript has checked.
fn decode(payload: &[u8]) -> Framing {
    let word = |at| record::word(payload, at);
    let max = word(framing::MAX);
    let (offset, strip) = (word(framing::OFFSET), word(framing::STRIP));
    match word(framing::FORM) {
        framing::RAW => Framing::Raw,
        framing::LINE => Framing::Line { max },
        framing::DELIMITER => {
            let (from, length) = (framing::DELIMITER_BYTES as usize, word(framing::WIDTH) as usize);
            Framing::Delimiter { bytes: payload[from..from + length].into(), max }
        }
        framing::FIXED => Framing::Fixed { size: max },
        framing::LENGTH_FIELD => Framing::Length(LengthField {
            bytes: word(framing::WIDTH) as u8,
            offset,
            adjust: word(framing::ADJUST) as i32,
            strip,
            little: word(framing::LITTLE) == 1,
            max,
        }),
        framing::VARINT => {
            let strip = (strip != framing::NO_STRIP).then_some(strip);
            Framing::Varint(VarintField { offset, strip, max })
        }
        other => unreachable!("framing of form {other}"),
    }
}
