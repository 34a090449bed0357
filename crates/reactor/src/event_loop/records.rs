//! Does what the user wrote to the outbound ring.

use super::EventLoop;
use super::datagrams::is_datagrams;
use crate::notices::Cause;
use crate::profile::Timeouts;
use crate::run_queue::Next;
use millrace_ring::record::{self, answer, kind, reason, take};

/// Records taken before their room is given back.
const RELEASE: u32 = 256;

impl EventLoop {
    /// Takes all records that the user had written when this began: this side never waits for its own
    /// ring first.
    pub(super) fn take_records(&mut self) {
        let mut count = 0;
        // What is written meanwhile is taken in the next turn: a user who writes without a pause does not
        // keep the loop from its sockets.
        self.outbound.look();
        while let Some(record) = self.outbound.next_seen() {
            let (slot, generation) = (record.label.slot, record.label.generation);
            if is_datagrams(slot) {
                let kind = record.label.kind;
                self.take_datagram_record(slot, generation, kind);
            } else if let Some(connection) = self.connections.find(slot, generation) {
                let inbound = &mut self.inbound;
                let clock = self.timers.clock(inbound.now);
                let next = match record.label.kind {
                    kind::WRITE => {
                        let next = connection.write(record.payload, slot, generation, inbound);
                        connection.hold_back_if_full();
                        next
                    }
                    kind::PUSH => connection.write(record.payload, slot, generation, inbound),
                    kind::END => match connection.end() {
                        Next::Wait => connection.drive(slot, generation, inbound),
                        next => next,
                    },
                    kind::DISCARD => match connection.input_done() {
                        Next::Wait => connection.drive(slot, generation, inbound),
                        next => next,
                    },
                    kind::RESET => connection.reset(),
                    kind::DESTROY => Next::Close(Cause::of(reason::DESTROYED)),
                    kind::PAUSE => {
                        connection.pause();
                        Next::Wait
                    }
                    kind::RESUME => {
                        connection.resume();
                        connection.drive(slot, generation, inbound)
                    }
                    kind::ASK => {
                        connection.ask_for_drain();
                        Next::Wait
                    }
                    kind::FLUSH => {
                        connection.ask_for_flush();
                        Next::Wait
                    }
                    kind::TIMEOUTS => {
                        connection.set_timeouts(Timeouts::decode(record.payload), clock);
                        Next::Wait
                    }
                    kind::TIMEOUT_ANSWER => {
                        let word = |at| record::word(record.payload, at);
                        let (reason, left) =
                            (word(answer::TIMEOUT_REASON), word(answer::TIME_LEFT));
                        connection.timeout_answered(reason, left, clock)
                    }
                    kind::MESSAGE_BEGUN | kind::MESSAGE_ENDED => {
                        let is_complete = record.label.kind == kind::MESSAGE_ENDED;
                        connection.note_raw_message(is_complete, clock);
                        Next::Wait
                    }
                    kind::MESSAGE_FIRST => {
                        connection.note_first_message();
                        Next::Wait
                    }
                    kind::TAKE => {
                        let word = |at| record::word(record.payload, at);
                        let is_here = word(take::TO_SLOT) != take::ELSEWHERE;
                        let to = (word(take::TO_SLOT), word(take::TO_GENERATION));
                        connection.take_input(is_here.then_some(to), clock);
                        // It may have been held back because of its output.
                        connection.drive(slot, generation, inbound)
                    }
                    kind::FILE_BEGUN => {
                        connection.begin_file();
                        Next::Wait
                    }
                    kind::FILE_ENDED => {
                        connection.end_file();
                        Next::Wait
                    }
                    kind::SWITCH => {
                        connection.begin_switch();
                        Next::Wait
                    }
                    kind::RETURN => {
                        connection.take_back(record.payload);
                        Next::Wait
                    }
                    kind::FRAMING => {
                        connection.end_switch(record.payload, clock);
                        connection.drive(slot, generation, inbound)
                    }
                    kind::RELAY => {
                        connection.begin_relay();
                        connection.drive(slot, generation, inbound)
                    }
                    other => unreachable!("record of kind {other}"),
                };
                self.schedule(slot, next);
            }
            count += 1;
            if count % RELEASE == 0 {
                self.send_gathered();
                self.outbound.release();
            }
        }
        self.send_gathered();
        if count > 0 {
            self.inbound.stats.counters.records_out(u64::from(count));
        }
        self.outbound.release();
        if self.handle.0.room.ring_for_room(|| true) {
            self.handle.0.bell.ring();
        }
    }
}
