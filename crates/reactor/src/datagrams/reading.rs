//! Receiving: batches of datagrams, each a record of its own.

use super::Datagrams;
use crate::address::Address;
use crate::conn::Next;
use crate::io::{BUDGET, Io};
use millrace_ring::record::{self, Label, datagram, kind};
use millrace_sys::datagrams::{Inbox, RECEIVED_AT_ONCE};
use socket2::SockRef;
use std::io::ErrorKind;

/// What a failed call costs of the budget: a socket that only fails does not hold up the others.
const FAILURE: u32 = 4 << 10;

impl Datagrams {
    /// Receives and passes on what there is, within the budget. What finds no room in the ring stays
    /// in the kernel, which drops what it has no room for, and counts it.
    pub(super) fn read(
        &mut self,
        slot: u32,
        generation: u32,
        io: &mut Io,
        inbox: &mut Inbox,
    ) -> Next {
        if self.is_paused || self.notes.opening.is_some() || !self.ready.readable {
            return Next::Wait;
        }
        if let Some(position) = self.budget_end
            && !io.inbound.is_consumed(position)
        {
            return Next::Hold(position);
        }
        self.budget_end = None;
        if io.is_crowded {
            return Next::Starve;
        }
        let start = io.inbound.position();
        let next = self.read_batches(Label { slot, generation, kind: kind::DATAGRAM }, io, inbox);
        match next {
            // A whole budget of failures: the kernel says nothing new by itself.
            Next::Again if io.inbound.position() == start => {
                self.ready.readable = false;
                self.is_failing = true;
                Next::Wait
            }
            Next::Again => {
                let position = io.inbound.position();
                self.budget_end = Some(position);
                Next::Hold(position)
            }
            _ => next,
        }
    }

    fn read_batches(&mut self, label: Label, io: &mut Io, inbox: &mut Inbox) -> Next {
        let mut budget = BUDGET;
        while self.ready.readable {
            if budget == 0 {
                return Next::Again;
            }
            let count = self.room(io);
            if count == 0 {
                return Next::Starve;
            }
            let Some(socket) = &self.socket else { return Next::Wait };
            let result = socket
                .try_io(|| inbox.receive(&SockRef::from(&**socket), count, self.max as usize));
            match result {
                Ok(received) => {
                    budget = budget.saturating_sub(self.pass_on(received, label, io, inbox));
                    if received < count && self.ready.drained() {
                        self.ready.readable = false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error, true);
                    budget = budget.saturating_sub(FAILURE);
                }
            }
        }
        Next::Wait
    }

    /// How many datagrams the ring has room for, whatever their sizes.
    fn room(&self, io: &mut Io) -> usize {
        let largest = datagram::BYTES + self.max;
        let free = io.inbound.free().saturating_sub(io.control_room());
        // One less: where one does not fit before the ring's end, that end is skipped.
        let count = (free / record::size(largest)).saturating_sub(1);
        if count == 0 {
            let leave = io.control_room();
            return usize::from(io.inbound.reserve(largest, largest, leave).is_some());
        }
        RECEIVED_AT_ONCE.min(count as usize)
    }

    /// Makes a record of each; how many bytes of the ring they take.
    fn pass_on(&self, received: usize, label: Label, io: &mut Io, inbox: &Inbox) -> u32 {
        let mut taken = 0;
        let (mut bytes, mut truncated) = (0, 0);
        for at in 0..received {
            let datagram = inbox.get(at);
            let mut head = [0; datagram::BYTES as usize];
            let (address, flags) = head.split_at_mut(datagram::FLAGS as usize);
            datagram.from.map_or(Address::Unnamed, Address::Inet).encode(address);
            flags[..4].copy_from_slice(&u32::from(datagram.is_truncated).to_ne_bytes());
            let told = io.data(label, &head, datagram.bytes);
            debug_assert!(told, "the ring had room for it");
            taken += record::size(datagram::BYTES + datagram.bytes.len() as u32);
            bytes += datagram.bytes.len() as u64;
            truncated += u64::from(datagram.is_truncated);
        }
        self.share.received(received as u64);
        self.share.bytes_read(bytes);
        self.share.truncated(truncated);
        io.shared.counters.received(bytes);
        taken
    }
}
