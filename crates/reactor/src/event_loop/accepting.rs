//! How connections come to a loop: handed over, or accepted by itself.

use super::{EventLoop, News, SLOT_BITS, UNTOLD, token};
use crate::accepting::Sink;
use crate::address::Address;
use crate::bound::Bound;
use crate::conn::{Conn, Next};
use crate::control::Opening;
use crate::handoff::{Accepted, Order};
use crate::listener::Listener;
use crate::socket::Socket;
use millrace_ring::record::kind;
use mio::Token;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl EventLoop {
    /// Takes a connection that was assigned to this loop.
    pub(super) fn adopt(&mut self, accepted: Accepted) {
        let Accepted { mut socket, peer, listener } = accepted;
        let token = self.token_of_next();
        if token.and_then(|token| socket.register(self.poll.registry(), token)).is_err() {
            listener.release();
            self.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.begin(socket, listener, peer, false);
    }

    /// Of the next connection; there may be no slot for it.
    pub(super) fn token_of_next(&self) -> io::Result<Token> {
        let (slot, generation) = self.conns.next();
        if slot >= 1 << SLOT_BITS {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(token(slot, generation))
    }

    /// A connection begins, whose socket is registered under the next slot.
    pub(super) fn begin(
        &mut self,
        socket: Socket,
        listener: Arc<Listener>,
        remote: Address,
        paused: bool,
    ) {
        let (slot, generation) = self.conns.next();
        listener.limits.socket.opened(&socket, listener.service.is_some());
        let opening = Opening { listener: listener.id, remote, local: socket.local_address() };
        self.io.shared.gauges.open(slot, generation);
        self.io.shared.counters.opened(1);
        let mut conn = Conn::new(socket, listener, opening);
        if paused {
            conn.pause();
        }
        self.conns.insert(conn);
        self.settle(slot, Next::Wait);
        self.tell_one(slot);
    }

    /// For the listeners that this loop accepts from itself.
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Listen(bound) => self.listen(bound),
            Order::Close(id) => {
                if !self.listeners.close(id) {
                    self.drain(id);
                }
            }
            Order::Pause { id, is_paused, ticket } => {
                let result = self.listeners.pause(id, is_paused);
                self.news.push_back(News::answer(ticket, result));
            }
            Order::Duplicate { id, ticket } => {
                let result = self.listeners.duplicate(id);
                self.news.push_back(News::duplicated(ticket, result));
            }
        }
    }

    fn listen(&mut self, bound: Bound) {
        bound.service.accepted_by(&self.handle.0.alarm);
        let id = bound.listener.id;
        if let Err(error) = self.listeners.add(bound, self.poll.registry()) {
            self.news.push_back(News::failed(kind::ACCEPT_ERROR, id, &error));
        }
    }

    /// No more are accepted while that many opens wait for room in the ring.
    pub(super) fn can_accept(&self) -> bool {
        self.untold.len() < UNTOLD && self.listeners.is_due(self.io.now)
    }

    pub(super) fn accept(&mut self) {
        let mut sink = Adopting::new(UNTOLD.saturating_sub(self.untold.len()));
        let closed = self.listeners.sweep(self.io.now, self.poll.registry(), &mut sink);
        self.take_accepted(sink);
        for id in closed {
            self.drain(id);
        }
    }

    fn take_accepted(&mut self, sink: Adopting) {
        for (socket, peer, listener) in sink.accepted {
            self.handle.0.connections.fetch_add(1, Ordering::Relaxed);
            self.adopt(Accepted { socket, peer, listener });
        }
        for (id, errno) in sink.errors {
            self.news.push_back(News { errno, ..News::of(kind::ACCEPT_ERROR, id) });
        }
    }

    /// A listener is closed: what its connections have sent by now is still delivered.
    pub(super) fn drain(&mut self, id: u32) {
        for slot in 0..self.conns.slots() {
            if let Some((_, conn)) = self.conns.get_mut(slot)
                && conn.listener.id == id
            {
                conn.drain();
                self.go_on(slot);
            }
        }
        self.news.push_back(News::of(kind::LISTENER_CLOSED, id));
    }
}

/// Takes connections for the loop that accepts them itself.
struct Adopting {
    room: usize,
    accepted: Vec<(Socket, Address, Arc<Listener>)>,
    errors: Vec<(u32, i32)>,
}

impl Adopting {
    fn new(room: usize) -> Self {
        Self { room, accepted: Vec::new(), errors: Vec::new() }
    }
}

impl Sink for Adopting {
    fn has_room(&mut self) -> bool {
        self.accepted.len() < self.room
    }

    fn accept(&mut self, socket: Socket, peer: Address, listener: &Arc<Listener>) {
        self.accepted.push((socket, peer, listener.clone()));
    }

    fn fail(&mut self, listener: u32, errno: i32) {
        self.errors.push((listener, errno));
    }
}
