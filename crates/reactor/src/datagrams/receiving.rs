//! Receiving: batches of datagrams, each a record of its own.

use super::{DatagramSocket, local};
use crate::address::Address;
use crate::inbound::{BUDGET, Inbound, Until};
use crate::run_queue::Next;
use millrace_ring::record::{self, Label, datagram, kind};
use millrace_sys::datagrams::{Datagram, Inbox, RECEIVED_AT_ONCE};
use socket2::SockRef;
use std::io::{self, ErrorKind};

/// What a failed call costs of the budget, so that a socket that only fails does not delay the others.
const FAILURE: u32 = 4 << 10;

impl DatagramSocket {
    /// Receives and passes on what there is, within the budget. Without room in the ring, datagrams stay in
    /// the kernel, which drops and counts those that it has no room for.
    pub(super) fn receive(
        &mut self,
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
        inbox: &mut Inbox,
    ) -> Next {
        let is_more = self.ready.readable || !self.receive_queue.is_empty();
        if self.is_paused || self.notices.opening.is_some() || !is_more {
            return Next::Wait;
        }
        if let Some(until) = self.scheduling.credit.blocks(inbound) {
            return Next::Hold(until);
        }
        let start = inbound.ring.position();
        let label = Label { slot, generation, kind: kind::DATAGRAM };
        let next = self.receive_batches(label, inbound, inbox);
        match next {
            // A whole budget of failures: no event will come by itself.
            Next::Again if inbound.ring.position() == start => {
                self.ready.readable = false;
                self.is_failing = true;
                Next::Wait
            }
            Next::Again => Next::Hold(self.scheduling.credit.use_up(inbound)),
            _ => next,
        }
    }

    fn receive_batches(&mut self, label: Label, inbound: &mut Inbound, inbox: &mut Inbox) -> Next {
        let mut budget = BUDGET;
        loop {
            self.pass_on_queued(&mut budget, label, inbound);
            if self.receive_queue.is_empty() && !self.ready.readable {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            let room = self.room(inbound);
            if !self.receive_queue.is_empty() || room == 0 {
                return Next::Hold(Until::Room);
            }
            let count = self.trains(room, budget, inbound);
            match self.receive_once(count, inbox) {
                Ok(received) => {
                    let cost = self.pass_on(&mut budget, label, inbound, inbox);
                    self.train_cost = cost / (received as u32).max(1);
                    if received < count && self.ready.is_drained_by_short_read() {
                        self.ready.readable = false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note_error(&error, true);
                    budget = budget.saturating_sub(FAILURE);
                }
            }
        }
    }

    /// Receives at most `count` trains, or datagrams if they come one by one. Returns how many.
    fn receive_once(&self, count: usize, inbox: &mut Inbox) -> io::Result<usize> {
        let Some(socket) = &self.socket else { return Err(ErrorKind::WouldBlock.into()) };
        let max = self.max as usize;
        socket.try_io(|| inbox.receive_with(&SockRef::from(&**socket), count, max, self.extras))
    }

    /// How many datagrams the ring has room for, whatever their sizes.
    fn room(&self, inbound: &mut Inbound) -> usize {
        let head = if self.extras.locals { datagram::LOCAL_BYTES } else { datagram::BYTES };
        let largest = head + self.max;
        let free = inbound.ring.free().saturating_sub(inbound.control_room());
        // One less, because the end of the ring is skipped if a record does not fit there.
        let count = (free / record::size(largest)).saturating_sub(1);
        if count == 0 {
            let leave = inbound.control_room();
            return usize::from(inbound.ring.reserve(largest, largest, leave).is_some());
        }
        RECEIVED_AT_ONCE.min(count as usize)
    }

    /// How many trains to receive if there is room for so many datagrams: as many as are likely to find
    /// room, and to be within the budget. Those that do not are queued.
    fn trains(&self, room: usize, budget: u32, inbound: &mut Inbound) -> usize {
        let free = inbound.ring.free().saturating_sub(inbound.control_room());
        let likely = free.min(budget).div_ceil(self.train_cost.max(1));
        room.min(likely as usize).max(1)
    }

    /// Makes a record of each received datagram, and queues datagrams without room or budget.
    /// Returns how many bytes of the ring all of them take.
    fn pass_on(
        &mut self,
        budget: &mut u32,
        label: Label,
        inbound: &mut Inbound,
        inbox: &Inbox,
    ) -> u32 {
        let (mut cost, mut bytes, mut truncated) = (0, 0, 0);
        for at in 0..inbox.len() {
            let datagram = inbox.get(at);
            let mut head = [0; datagram::LOCAL_BYTES as usize];
            let head = self.head(&datagram, &mut head);
            let size = record::size((head.len() + datagram.bytes.len()) as u32);
            // After those that are queued already, if there are any.
            let is_next = self.receive_queue.is_empty() && *budget > 0;
            if is_next && inbound.data(label, head, datagram.bytes) {
                *budget = budget.saturating_sub(size);
            } else {
                self.receive_queue.push(head, datagram.bytes);
            }
            cost += size;
            bytes += datagram.bytes.len() as u64;
            truncated += u64::from(datagram.is_truncated);
        }
        self.handle.counts.received.add(inbox.len() as u64);
        self.handle.counts.bytes_read.add(bytes);
        self.handle.counts.truncated.add(truncated);
        inbound.stats.counters.received(bytes);
        cost
    }

    /// Writes what stands before the bytes of a datagram, and returns it.
    fn head<'a>(
        &self,
        datagram: &Datagram<'_>,
        into: &'a mut [u8; datagram::LOCAL_BYTES as usize],
    ) -> &'a [u8] {
        let mut flags = if datagram.is_truncated { datagram::CUT } else { 0 };
        let mut length = datagram::BYTES;
        if let Some(to) = datagram.local {
            flags |= datagram::HAS_LOCAL | if to.is_own { 0 } else { datagram::NOT_OWN };
            let into = &mut into[datagram::LOCAL as usize..];
            local::encode(to, datagram.from, self.port, into);
            length = datagram::LOCAL_BYTES;
        }
        let (address, rest) = into.split_at_mut(datagram::FLAGS as usize);
        datagram.from.map_or(Address::Unnamed, Address::Inet).encode(address);
        rest[..4].copy_from_slice(&flags.to_ne_bytes());
        &into[..length as usize]
    }

    /// Makes records of the queued datagrams, as far as there are room and budget.
    fn pass_on_queued(&mut self, budget: &mut u32, label: Label, inbound: &mut Inbound) {
        while *budget > 0
            && let Some(payload) = self.receive_queue.first()
            && inbound.data(label, payload, &[])
        {
            *budget = budget.saturating_sub(record::size(payload.len() as u32));
            self.receive_queue.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::datagrams::testing::Setup;
    use crate::datagrams::{DatagramOptions, DatagramSetting};
    use crate::inbound::{BUDGET, Until};
    use crate::notices::Cause;
    use crate::run_queue::Next;
    use millrace_ring::record::{datagram, size};
    use millrace_sys::datagrams::{Outbox, Outgoing};
    use socket2::SockRef;
    use std::net::Ipv4Addr;

    /// A socket for which the kernel has room for all that is sent here.
    fn roomy(ring: usize) -> Setup {
        let options = DatagramOptions {
            settings: vec![DatagramSetting::ReceiveBuffer(4 << 20)],
            max: 900,
            ..DatagramOptions::new(1, (Ipv4Addr::LOCALHOST, 0).into())
        };
        Setup::new(ring, &options)
    }

    impl Setup {
        /// Sends datagrams to the socket, in trains where the system has them.
        fn flood(&self, payloads: &[Vec<u8>]) {
            let to = Some(self.socket.socket.as_ref().unwrap().local_addr().unwrap());
            let all: Vec<_> =
                payloads.iter().map(|bytes| Outgoing { to, source: None, bytes }).collect();
            let mut outbox = Outbox::new();
            let mut sent = 0;
            while sent < all.len() {
                sent += outbox.send(&SockRef::from(&self.peer), &all[sent..]).unwrap();
            }
        }

        /// One turn, as after an event; how many bytes it put into the ring.
        fn turn(&mut self) -> (Next, u32) {
            self.socket.ready.readable = true;
            let start = self.inbound.ring.position();
            let next = self.drive();
            let put = self.inbound.ring.position().wrapping_sub(start);
            self.inbound.publish();
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

    /// Tiny numbered datagrams of two lengths, which take far more room in a ring than in the kernel.
    fn numbered(count: u32) -> Vec<Vec<u8>> {
        let length = |at: u32| if at % 50 == 49 { 3 } else { 4 };
        (0..count).map(|at| at.to_le_bytes()[..length(at)].to_vec()).collect()
    }

    #[test]
    fn a_turn_passes_on_one_budget_and_not_a_whole_train_more() {
        let mut setup = roomy(1 << 20);
        let sent = numbered(5000);
        setup.flood(&sent);
        let mut seen = Vec::new();
        let (next, put) = setup.turn();
        assert!(matches!(next, Next::Hold(Until::Consumed(_))), "{next:?}");
        let one = size(datagram::BYTES + 4);
        assert!((BUDGET..BUDGET + one).contains(&put), "{put}");
        assert!(!setup.socket.extras.trains || !setup.socket.receive_queue.is_empty());
        // Nothing follows until the user has taken them.
        assert!(matches!(setup.turn(), (Next::Hold(Until::Consumed(_)), 0)));
        setup.take(&mut seen);
        let (_, put) = setup.turn();
        assert!(put < BUDGET, "{put}");
        setup.take(&mut seen);
        assert!(seen == sent);
        assert_eq!(setup.socket.handle.counts().received, 5000);
    }

    #[test]
    fn the_rest_of_a_train_waits_for_room_and_while_the_socket_is_paused() {
        let mut setup = roomy(4096);
        let sent: Vec<_> = (0..64u8).map(|at| vec![at; 800]).collect();
        setup.flood(&sent);
        let mut seen = Vec::new();
        assert_eq!(setup.turn().0, Next::Hold(Until::Room));
        setup.take(&mut seen);
        assert!(!seen.is_empty() && seen.len() < sent.len());
        assert!(!setup.socket.extras.trains || !setup.socket.receive_queue.is_empty());
        setup.socket.pause();
        assert_eq!(setup.turn(), (Next::Wait, 0));
        setup.socket.resume();
        for _ in 0..64 {
            setup.turn();
            setup.take(&mut seen);
        }
        assert!(seen == sent);
        assert!(setup.socket.receive_queue.is_empty());
    }

    #[test]
    fn queued_datagrams_go_on_without_an_event_and_are_given_up_at_the_end() {
        let mut setup = roomy(4096);
        setup.flood(&vec![vec![1; 800]; 64]);
        assert_eq!(setup.turn().0, Next::Hold(Until::Room));
        if !setup.socket.extras.trains {
            return;
        }
        setup.socket.ready.readable = false;
        let mut seen = Vec::new();
        setup.take(&mut seen);
        let next = setup.drive();
        assert_eq!(next, Next::Hold(Until::Room), "there is more");
        setup.inbound.publish();
        let before = seen.len();
        setup.take(&mut seen);
        assert!(seen.len() > before);
        assert_eq!(setup.socket.end(), Next::Close(Cause::NONE));
        let registrar = setup.poll.registrar();
        setup.socket.close(Cause::NONE, registrar);
        assert!(setup.socket.receive_queue.is_empty());
        let next = setup.drive();
        assert_eq!(next, Next::Wait);
    }
}
