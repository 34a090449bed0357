//! The loop's datagram sockets. Their slots are numbered after those of connections, and both are in the
//! same lists.

use super::EventLoop;
use super::slab::Slab;
use crate::datagrams::{BoundDatagramSocket, Boxes, DatagramSocket, Sending};
use crate::notices::LoopNotice;
use crate::poll::{Event, Key};
use crate::run_queue::Next;
use millrace_ring::Place;
use millrace_ring::record::{kind, slot as slots};
use millrace_sys::datagrams::SENT_AT_ONCE;

/// Consecutive `SEND` and `SEND_FROM` records of one socket, which stay in the ring until they are sent in one call.
#[derive(Debug, Default)]
struct GatheredSends {
    at: u32,
    generation: u32,
    places: Vec<(Sending, Place)>,
}

/// A loop's datagram sockets.
#[derive(Debug)]
pub(super) struct DatagramSockets {
    slab: Slab<DatagramSocket>,
    /// Made with the first socket: it has 2 MiB of address space.
    boxes: Option<Box<Boxes>>,
    gathered: GatheredSends,
}

/// Whether a slot is that of a datagram socket.
pub(super) fn is_datagrams(slot: u32) -> bool {
    slot >= slots::DATAGRAMS
}

impl DatagramSockets {
    pub(super) fn new() -> Self {
        Self { slab: Slab::new(), boxes: None, gathered: GatheredSends::default() }
    }

    pub(super) fn recycle(&mut self) {
        self.slab.recycle();
    }

    pub(super) fn clear(&mut self) {
        self.slab.clear();
        self.gathered.places.clear();
    }

    /// Finds a socket by its slot among all of the loop.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(u32, &mut DatagramSocket)> {
        self.slab.get_mut(slot - slots::DATAGRAMS)
    }
}

impl EventLoop {
    /// Takes a datagram socket that was bound.
    pub(super) fn open_datagrams(&mut self, bound: BoundDatagramSocket) {
        let number = bound.number;
        let sockets = &mut self.datagrams;
        sockets.boxes.get_or_insert_default();
        let (at, generation) = sockets.slab.next();
        let key = Key::Datagrams { slot: at, generation };
        match DatagramSocket::open(bound, self.poll.registrar(), key) {
            Ok(socket) => {
                sockets.slab.insert(socket);
                self.schedule_datagrams(slots::DATAGRAMS + at, Next::Wait);
            }
            Err(error) => {
                let notice = LoopNotice::failed(kind::ACCEPT_ERROR, number, &error);
                self.loop_notices.push_back(notice);
            }
        }
    }

    /// Takes an event of the socket at that place.
    pub(super) fn note_datagram_event(&mut self, at: u32, generation: u32, event: Event<'_>) {
        // Not found if the event is of a socket that had this slot before.
        if let Some(socket) = self.datagrams.slab.find(at, generation) {
            socket.ready.note(event);
            self.go_on_with_datagrams(slots::DATAGRAMS + at);
        }
    }

    pub(super) fn go_on_with_datagrams(&mut self, slot: u32) {
        let DatagramSockets { slab, boxes: Some(boxes), .. } = &mut self.datagrams else { return };
        if let Some((generation, socket)) = slab.get_mut(slot - slots::DATAGRAMS) {
            let next = socket.drive(slot, generation, &mut self.inbound, boxes);
            self.schedule_datagrams(slot, next);
        }
    }

    /// Does what the record that was taken last says.
    pub(super) fn take_datagram_record(&mut self, slot: u32, generation: u32, kind: u32) {
        let at = slot - slots::DATAGRAMS;
        let gathered = &self.datagrams.gathered;
        let is_same = (gathered.at, gathered.generation) == (at, generation);
        let sending = match kind {
            kind::SEND => Some(Sending::FromAny),
            kind::SEND_FROM => Some(Sending::FromSource),
            _ => None,
        };
        if sending.is_none() || !is_same || gathered.places.len() >= SENT_AT_ONCE {
            self.send_gathered();
        }
        if let Some(sending) = sending {
            let gathered = &mut self.datagrams.gathered;
            (gathered.at, gathered.generation) = (at, generation);
            gathered.places.push((sending, self.outbound.place()));
            return;
        }
        let Some(socket) = self.datagrams.slab.find(at, generation) else { return };
        let mut next = Next::Wait;
        match kind {
            kind::END => next = socket.end(),
            kind::PAUSE => socket.pause(),
            kind::RESUME => {
                socket.resume();
                return self.go_on_with_datagrams(slot);
            }
            kind::ASK => socket.ask_for_drain(),
            other => unreachable!("record of kind {other} for a datagram socket"),
        }
        self.schedule_datagrams(slot, next);
    }

    /// Sends what was gathered. To be called before the ring's room is released.
    pub(super) fn send_gathered(&mut self) {
        let DatagramSockets { slab, boxes, gathered } = &mut self.datagrams;
        if gathered.places.is_empty() {
            return;
        }
        if let (Some(socket), Some(boxes)) = (slab.find(gathered.at, gathered.generation), boxes) {
            let places = gathered.places.iter();
            let records = places.map(|(sending, place)| (*sending, self.outbound.lend(*place)));
            socket.send(records, &self.inbound, &mut boxes.outbox);
        }
        gathered.places.clear();
        let slot = slots::DATAGRAMS + gathered.at;
        self.schedule_datagrams(slot, Next::Wait);
    }

    /// Does what a socket needs next, and keeps its deadline and its notices in the loop's lists.
    pub(super) fn schedule_datagrams(&mut self, slot: u32, next: Next) {
        let Some((generation, socket)) = self.datagrams.get_mut(slot) else { return };
        let key = Key::Datagrams { slot: slot - slots::DATAGRAMS, generation };
        socket.watch_writes(self.poll.registrar(), key);
        self.run_queue.put(slot, next, &mut socket.scheduling, &mut self.inbound);
        if let Next::Close(cause) = next {
            socket.close(cause, self.poll.registrar());
        }
        let deadline = socket.next_deadline(self.timers.clock(self.inbound.now));
        self.timers.reschedule(slot, &mut socket.scheduled, deadline);
        if socket.has_notices() && !socket.notices.listed {
            socket.notices.listed = true;
            self.untold.push_back(slot);
        }
    }

    /// Tells a socket that its limit in time has ended.
    pub(super) fn expire_datagrams(&mut self, slot: u32) {
        if let Some((_, socket)) = self.datagrams.get_mut(slot) {
            socket.scheduled = None;
            let next = socket.expire();
            self.schedule_datagrams(slot, next);
        }
    }

    /// Tells the notices of one socket; false if the ring is full.
    pub(super) fn tell_datagrams(&mut self, slot: u32) -> bool {
        let Some((generation, socket)) = self.datagrams.get_mut(slot) else {
            self.untold.retain(|each| *each != slot);
            return true;
        };
        let was_opening = socket.notices.opening.is_some();
        if !socket.tell(slot, generation, &mut self.inbound) {
            return false;
        }
        socket.notices.listed = false;
        let is_closed = socket.notices.closed;
        self.unlist(slot);
        if is_closed {
            self.datagrams.slab.remove(slot - slots::DATAGRAMS);
        } else if was_opening {
            // Reading waited for the opening.
            self.go_on_with_datagrams(slot);
        }
        true
    }
}
