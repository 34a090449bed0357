//! Receiving: batches of datagrams, each a record of its own.

use super::Datagrams;
use crate::address::Address;
use crate::conn::Next;
use crate::io::{BUDGET, Io};
use millrace_ring::record::{self, Label, datagram, kind};
use millrace_sys::datagrams::{Inbox, RECEIVED_AT_ONCE};
use socket2::SockRef;
use std::io::{self, ErrorKind};

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
        let is_more = self.ready.readable || !self.held.is_empty();
        if self.is_paused || self.notes.opening.is_some() || !is_more {
            return Next::Wait;
        }
        if let Some(next) = self.spent.keeps_from_reading(io) {
            return next;
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
            Next::Again => self.spent.note(io),
            _ => next,
        }
    }

    fn read_batches(&mut self, label: Label, io: &mut Io, inbox: &mut Inbox) -> Next {
        let mut budget = BUDGET;
        loop {
            self.pass_on_held(&mut budget, label, io);
            if self.held.is_empty() && !self.ready.readable {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            let room = self.room(io);
            if !self.held.is_empty() || room == 0 {
                return Next::Starve;
            }
            let count = self.trains(room, budget, io);
            match self.receive(count, inbox) {
                Ok(received) => {
                    let cost = self.pass_on(&mut budget, label, io, inbox);
                    self.train_cost = cost / (received as u32).max(1);
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
    }

    /// Receives at most `count` trains, or datagrams where they come one by one; how many.
    fn receive(&self, count: usize, inbox: &mut Inbox) -> io::Result<usize> {
        let Some(socket) = &self.socket else { return Err(ErrorKind::WouldBlock.into()) };
        let max = self.max as usize;
        socket.try_io(|| match self.takes_trains {
            true => inbox.receive_trains(&SockRef::from(&**socket), count, max),
            false => inbox.receive(&SockRef::from(&**socket), count, max),
        })
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

    /// How many trains to receive, where there is room for so many datagrams: as many as are likely
    /// to find room, and to be within the budget. What does not is held.
    fn trains(&self, room: usize, budget: u32, io: &mut Io) -> usize {
        let free = io.inbound.free().saturating_sub(io.control_room());
        let likely = free.min(budget).div_ceil(self.train_cost.max(1));
        room.min(likely as usize).max(1)
    }

    /// Makes a record of each that was received, and holds those for which there is no room or budget;
    /// how many bytes of the ring all of them take.
    fn pass_on(&mut self, budget: &mut u32, label: Label, io: &mut Io, inbox: &Inbox) -> u32 {
        let (mut cost, mut bytes, mut truncated) = (0, 0, 0);
        for at in 0..inbox.len() {
            let datagram = inbox.get(at);
            let mut head = [0; datagram::BYTES as usize];
            let (address, flags) = head.split_at_mut(datagram::FLAGS as usize);
            datagram.from.map_or(Address::Unnamed, Address::Inet).encode(address);
            flags[..4].copy_from_slice(&u32::from(datagram.is_truncated).to_ne_bytes());
            let size = record::size(datagram::BYTES + datagram.bytes.len() as u32);
            // Behind those that are held already, if there are any.
            let is_next = self.held.is_empty() && *budget > 0;
            if is_next && io.data(label, &head, datagram.bytes) {
                *budget = budget.saturating_sub(size);
            } else {
                self.held.push(&head, datagram.bytes);
            }
            cost += size;
            bytes += datagram.bytes.len() as u64;
            truncated += u64::from(datagram.is_truncated);
        }
        self.share.received(inbox.len() as u64);
        self.share.bytes_read(bytes);
        self.share.truncated(truncated);
        io.shared.counters.received(bytes);
        cost
    }

    /// Makes records of those that are held, as far as there are room and budget.
    fn pass_on_held(&mut self, budget: &mut u32, label: Label, io: &mut Io) {
        while *budget > 0
            && let Some(payload) = self.held.first()
            && io.data(label, payload, &[])
        {
            *budget = budget.saturating_sub(record::size(payload.len() as u32));
            self.held.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::conn::Next;
    use crate::control::Cause;
    use crate::datagrams::setup::Setup;
    use crate::datagrams::{DatagramOptions, Setting};
    use crate::io::BUDGET;
    use millrace_ring::record::{datagram, size};
    use millrace_sys::datagrams::{Outbox, Outgoing};
    use socket2::SockRef;
    use std::net::Ipv4Addr;

    /// A socket whose kernel has room for all that is sent here.
    fn roomy(ring: usize) -> Setup {
        let options = DatagramOptions {
            settings: vec![Setting::ReceiveBuffer(4 << 20)],
            max: 900,
            ..DatagramOptions::new(1, (Ipv4Addr::LOCALHOST, 0).into())
        };
        Setup::new(ring, &options)
    }

    impl Setup {
        /// Sends datagrams to the socket, in trains where the system has them.
        fn flood(&self, payloads: &[Vec<u8>]) {
            let to = Some(self.socket.socket.as_ref().unwrap().local_addr().unwrap());
            let all: Vec<_> = payloads.iter().map(|bytes| Outgoing { to, bytes }).collect();
            let mut outbox = Outbox::new();
            let mut sent = 0;
            while sent < all.len() {
                sent += outbox.send(&SockRef::from(&self.peer), &all[sent..]).unwrap();
            }
        }

        /// One turn, as after an event; how many bytes it put into the ring.
        fn turn(&mut self) -> (Next, u32) {
            self.socket.ready.readable = true;
            let start = self.io.inbound.position();
            let next = self.drive();
            let put = self.io.inbound.position().wrapping_sub(start);
            self.io.publish();
            (next, put)
        }

        /// Takes all that is in the ring.
        fn take(&mut self, into: &mut Vec<Vec<u8>>) {
            while let Some(record) = self.consumer.next() {
                into.push(record.payload[datagram::BYTES as usize..].to_vec());
            }
            self.consumer.release();
        }
    }

    /// Tiny ones of two lengths, numbered, that take far more of a ring than of the kernel.
    fn numbered(count: u32) -> Vec<Vec<u8>> {
        let length = |at: u32| if at % 50 == 49 { 3 } else { 4 };
        (0..count).map(|at| at.to_le_bytes()[..length(at)].to_vec()).collect()
    }

    #[test]
    fn a_turn_passes_on_a_budget_and_no_train_more() {
        let mut setup = roomy(1 << 20);
        let sent = numbered(5000);
        setup.flood(&sent);
        let mut seen = Vec::new();
        let (next, put) = setup.turn();
        assert!(matches!(next, Next::Hold(_)), "{next:?}");
        let one = size(datagram::BYTES + 4);
        assert!((BUDGET..BUDGET + one).contains(&put), "{put}");
        assert!(!setup.socket.takes_trains || !setup.socket.held.is_empty());
        // As long as its user has not taken them nothing follows.
        assert!(matches!(setup.turn(), (Next::Hold(_), 0)));
        setup.take(&mut seen);
        let (_, put) = setup.turn();
        assert!(put < BUDGET, "{put}");
        setup.take(&mut seen);
        assert!(seen == sent);
        assert_eq!(setup.socket.share.counts().received, 5000);
    }

    #[test]
    fn what_of_a_train_finds_no_room_waits_for_it_and_while_the_socket_is_paused() {
        let mut setup = roomy(4096);
        let sent: Vec<_> = (0..64u8).map(|at| vec![at; 800]).collect();
        setup.flood(&sent);
        let mut seen = Vec::new();
        assert_eq!(setup.turn().0, Next::Starve);
        setup.take(&mut seen);
        assert!(!seen.is_empty() && seen.len() < sent.len());
        assert!(!setup.socket.takes_trains || !setup.socket.held.is_empty());
        setup.socket.pause();
        assert_eq!(setup.turn(), (Next::Wait, 0));
        setup.socket.resume();
        for _ in 0..64 {
            setup.turn();
            setup.take(&mut seen);
        }
        assert!(seen == sent);
        assert!(setup.socket.held.is_empty());
    }

    #[test]
    fn what_is_held_goes_on_without_an_event_and_is_given_up_at_the_end() {
        let mut setup = roomy(4096);
        setup.flood(&vec![vec![1; 800]; 64]);
        assert_eq!(setup.turn().0, Next::Starve);
        if !setup.socket.takes_trains {
            return;
        }
        setup.socket.ready.readable = false;
        let mut seen = Vec::new();
        setup.take(&mut seen);
        let next = setup.drive();
        assert_eq!(next, Next::Starve, "there is more");
        setup.io.publish();
        let before = seen.len();
        setup.take(&mut seen);
        assert!(seen.len() > before);
        assert_eq!(setup.socket.end(), Next::Close(Cause::NONE));
        let registry = setup.poll.registry();
        setup.socket.close(Cause::NONE, registry);
        assert!(setup.socket.held.is_empty());
        let next = setup.drive();
        assert_eq!(next, Next::Wait);
    }
}
