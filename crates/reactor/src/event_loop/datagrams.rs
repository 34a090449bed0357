//! The loop's datagram sockets: their slots are numbered behind those of connections, and stand in the
//! same lists.

use super::{DATAGRAMS, EventLoop, News, is_marked, slot_of, token};
use crate::conn::Next;
use crate::datagrams::{BoundDatagrams, Boxes, Datagrams};
use crate::slab::Slab;
use millrace_ring::Place;
use millrace_ring::record::{kind, slot as slots};
use millrace_sys::datagrams::SENT_AT_ONCE;
use mio::Token;
use mio::event::Event;

/// Sends of one socket that came one after the other, and stand in the ring until they are through.
#[derive(Debug, Default)]
struct Gathered {
    at: u32,
    generation: u32,
    places: Vec<Place>,
}

/// A loop's datagram sockets.
#[derive(Debug)]
pub(super) struct DatagramSockets {
    slab: Slab<Datagrams>,
    /// Made at the first socket: its memory is 2 MiB of address space.
    boxes: Option<Box<Boxes>>,
    gathered: Gathered,
}

/// Whether a slot is that of a datagram socket.
pub(super) fn is_datagrams(slot: u32) -> bool {
    slot >= slots::DATAGRAMS
}

fn datagram_token(at: u32, generation: u32) -> Token {
    Token(token(at, generation).0 | DATAGRAMS)
}

impl DatagramSockets {
    pub(super) fn new() -> Self {
        Self { slab: Slab::new(), boxes: None, gathered: Gathered::default() }
    }

    pub(super) fn recycle(&mut self) {
        self.slab.recycle();
    }

    pub(super) fn clear(&mut self) {
        self.slab.clear();
        self.gathered.places.clear();
    }

    /// By its slot among all of the loop.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(u32, &mut Datagrams)> {
        self.slab.get_mut(slot - slots::DATAGRAMS)
    }
}

impl EventLoop {
    /// Takes a datagram socket that was bound.
    pub(super) fn open_datagrams(&mut self, bound: BoundDatagrams) {
        let number = bound.number;
        let sockets = &mut self.datagrams;
        sockets.boxes.get_or_insert_default();
        let (at, generation) = sockets.slab.next();
        match Datagrams::open(bound, self.poll.registry(), datagram_token(at, generation)) {
            Ok(socket) => {
                sockets.slab.insert(socket);
                self.settle_datagrams(slots::DATAGRAMS + at, Next::Wait);
            }
            Err(error) => self.news.push_back(News::failed(kind::ACCEPT_ERROR, number, &error)),
        }
    }

    /// Notes an event and goes on; false if it is not a datagram socket's.
    pub(super) fn note_datagrams(&mut self, event: &Event) -> bool {
        let token = event.token();
        if !is_marked(token, DATAGRAMS) {
            return false;
        }
        let at = slot_of(token);
        if let Some((generation, socket)) = self.datagrams.slab.get_mut(at)
            && datagram_token(at, generation) == token
        {
            socket.ready.note(event);
            self.go_on_with_datagrams(slots::DATAGRAMS + at);
        }
        true
    }

    pub(super) fn go_on_with_datagrams(&mut self, slot: u32) {
        let DatagramSockets { slab, boxes: Some(boxes), .. } = &mut self.datagrams else { return };
        if let Some((generation, socket)) = slab.get_mut(slot - slots::DATAGRAMS) {
            let next = socket.drive(slot, generation, &mut self.io, boxes);
            self.settle_datagrams(slot, next);
        }
    }

    /// Does what the record that was taken last says.
    pub(super) fn take_for_datagrams(&mut self, slot: u32, generation: u32, kind: u32) {
        let at = slot - slots::DATAGRAMS;
        let gathered = &self.datagrams.gathered;
        let is_same = (gathered.at, gathered.generation) == (at, generation);
        if kind != kind::SEND || !is_same || gathered.places.len() >= SENT_AT_ONCE {
            self.send_gathered();
        }
        if kind == kind::SEND {
            let gathered = &mut self.datagrams.gathered;
            (gathered.at, gathered.generation) = (at, generation);
            gathered.places.push(self.outbound.place());
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
            kind::ASK => socket.ask(),
            other => unreachable!("record of kind {other} for a datagram socket"),
        }
        self.settle_datagrams(slot, next);
    }

    /// Sends what was gathered. To be called before the ring's room is released.
    pub(super) fn send_gathered(&mut self) {
        let DatagramSockets { slab, boxes, gathered } = &mut self.datagrams;
        if gathered.places.is_empty() {
            return;
        }
        if let (Some(socket), Some(boxes)) = (slab.find(gathered.at, gathered.generation), boxes) {
            let payloads = gathered.places.iter().map(|place| self.outbound.lend(*place));
            socket.send(payloads, &self.io, &mut boxes.outbox);
        }
        gathered.places.clear();
        let slot = slots::DATAGRAMS + gathered.at;
        self.settle_datagrams(slot, Next::Wait);
    }

    /// Puts a socket where it has to go next.
    pub(super) fn settle_datagrams(&mut self, slot: u32, next: Next) {
        let Some((_, socket)) = self.datagrams.get_mut(slot) else { return };
        self.lists.put(slot, next, &mut socket.listed, &mut self.io);
        if let Next::Close(cause) = next {
            socket.close(cause, self.poll.registry());
        }
        let patience = socket.patience();
        self.timers.keep(slot, &mut socket.deadline, self.io.now, patience);
        if socket.has_news() && !socket.notes.listed {
            socket.notes.listed = true;
            self.untold.push_back(slot);
        }
    }

    pub(super) fn expire_datagrams(&mut self, slot: u32) {
        if let Some((_, socket)) = self.datagrams.get_mut(slot) {
            socket.deadline = 0;
            let next = socket.expire();
            self.settle_datagrams(slot, next);
        }
    }

    /// Tells what one socket has to tell; false if the ring is full.
    pub(super) fn tell_datagrams(&mut self, slot: u32) -> bool {
        let Some((generation, socket)) = self.datagrams.get_mut(slot) else {
            self.untold.retain(|each| *each != slot);
            return true;
        };
        let was_opening = socket.notes.opening.is_some();
        if !socket.tell(slot, generation, &mut self.io) {
            return false;
        }
        socket.notes.listed = false;
        let is_closed = socket.notes.closed;
        self.unlist(slot);
        if is_closed {
            self.datagrams.slab.remove(slot - slots::DATAGRAMS);
        } else if was_opening {
            // Reading waited for it.
            self.go_on_with_datagrams(slot);
        }
        true
    }
}
