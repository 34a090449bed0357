//! What the user wrote to the ring, done.

use super::EventLoop;
use super::datagrams::is_datagrams;
use crate::conn::Next;
use crate::control::Cause;
use millrace_ring::record::{kind, reason};

/// Records taken before their room is given back.
const RELEASE: u32 = 256;

impl EventLoop {
    /// Does what the user wrote, all of it: this side never waits for its own ring first.
    pub(super) fn take_records(&mut self) {
        let mut count = 0;
        // What is written meanwhile has the next turn: a user who writes without a pause does not keep
        // the loop from its sockets.
        self.outbound.look();
        while let Some(record) = self.outbound.next_seen() {
            let (slot, generation) = (record.label.slot, record.label.generation);
            if is_datagrams(slot) {
                let kind = record.label.kind;
                self.take_for_datagrams(slot, generation, kind);
            } else if let Some(conn) = self.conns.find(slot, generation) {
                let io = &mut self.io;
                let next = match record.label.kind {
                    kind::WRITE => conn.write(record.payload, slot, generation, io),
                    kind::END => match conn.end() {
                        Next::Wait => conn.drive(slot, generation, io),
                        next => next,
                    },
                    kind::DESTROY => Next::Close(Cause::of(reason::DESTROYED)),
                    kind::PAUSE => {
                        conn.pause();
                        Next::Wait
                    }
                    kind::RESUME => {
                        conn.resume();
                        conn.drive(slot, generation, io)
                    }
                    kind::ASK => {
                        conn.ask();
                        Next::Wait
                    }
                    kind::FLUSH => {
                        conn.flush();
                        Next::Wait
                    }
                    other => unreachable!("record of kind {other}"),
                };
                self.settle(slot, next);
            }
            count += 1;
            if count % RELEASE == 0 {
                self.send_gathered();
                self.outbound.release();
            }
        }
        self.send_gathered();
        if count > 0 {
            self.io.shared.counters.records_out(u64::from(count));
        }
        self.outbound.release();
        if self.handle.0.room.ring_for_room(|| true) {
            self.handle.0.bell.ring();
        }
    }
}
