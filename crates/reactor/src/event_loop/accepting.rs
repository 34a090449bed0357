//! How accepted connections come to a loop: handed over by the acceptor, or accepted by the loop itself.

use super::{EventLoop, UNTOLD};
use crate::accepting::{AcceptSink, AcceptedSocket, BoundListener, ListenerCommand};
use crate::address::Address;
use crate::connection::Connection;
use crate::notices::{LoopNotice, Opening};
use crate::poll::{Key, MAX_SLOTS};
use crate::profile::Profile;
use crate::run_queue::Next;
use crate::service::Place;
use crate::transport::Socket;
use millrace_ring::record::kind;
use std::io;
use std::sync::Arc;

/// A connection to begin. Its socket is registered under the next slot already.
#[derive(Debug)]
pub(super) struct NewConnection {
    pub(super) socket: Socket,
    pub(super) profile: Arc<Profile>,
    pub(super) place: Place,
    pub(super) remote: Address,
    pub(super) local: Address,
    /// Nothing is read before the user resumes it.
    pub(super) is_paused: bool,
    /// The kernel is known to hold input, of which no event will tell.
    pub(super) has_input: bool,
}

impl EventLoop {
    /// Begins an accepted connection. Returns its socket if the poll does not take it.
    pub(super) fn open_accepted(
        &mut self,
        mut accepted: AcceptedSocket,
    ) -> Result<(), (AcceptedSocket, io::Error)> {
        let Ok(key) = self.next_connection_key() else {
            self.drop_accepted(accepted);
            return Ok(());
        };
        if let Err(error) = accepted.socket.register(self.poll.registrar(), key) {
            return Err((accepted, error));
        }
        let AcceptedSocket { socket, peer, profile, place } = accepted;
        let local = socket.local_address();
        self.begin_connection(NewConnection {
            socket,
            profile,
            place,
            remote: peer,
            local,
            is_paused: false,
            has_input: false,
        });
        Ok(())
    }

    /// Closes a connection that the user never hears of.
    pub(super) fn drop_accepted(&self, accepted: AcceptedSocket) {
        // As a whole: in parts, the place would be free before the socket is closed.
        drop(accepted);
        self.handle.release_connection();
    }

    /// The key of the next connection.
    ///
    /// # Errors
    /// If there is no slot left.
    pub(super) fn next_connection_key(&self) -> io::Result<Key> {
        let (slot, generation) = self.connections.next();
        if slot >= MAX_SLOTS {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(Key::Connection { slot, generation })
    }

    /// Begins a connection.
    pub(super) fn begin_connection(&mut self, new: NewConnection) {
        let NewConnection { socket, profile, place, remote, local, is_paused, has_input } = new;
        let (slot, generation) = self.connections.next();
        profile.options.socket.opened(&socket, profile.service.is_some());
        let opening = Opening { number: profile.id, remote, local };
        self.inbound.stats.gauges.open(slot, generation);
        self.inbound.stats.counters.opened(1);
        let clock = self.timers.clock(self.inbound.now);
        let mut connection = Connection::new(socket, profile, place, opening, clock);
        if is_paused {
            connection.pause();
        }
        if has_input {
            connection.transport.expect_input();
        }
        self.connections.insert(connection);
        self.schedule(slot, Next::Wait);
        self.tell_socket(slot);
    }

    /// Obeys a command for the listeners that this loop accepts from itself.
    pub(super) fn take_listener_command(&mut self, command: ListenerCommand) {
        match command {
            ListenerCommand::Listen(bound) => self.listen(bound),
            ListenerCommand::Close(id) => {
                if !self.listeners.close(id) {
                    self.drain_connections_of(id);
                }
            }
            ListenerCommand::Pause { id, is_paused, ticket } => {
                let result = self.listeners.pause(id, is_paused);
                self.loop_notices.push_back(LoopNotice::answer(ticket, result));
            }
            ListenerCommand::Duplicate { id, ticket } => {
                let result = self.listeners.duplicate(id);
                self.loop_notices.push_back(LoopNotice::duplicated(ticket, result));
            }
        }
    }

    fn listen(&mut self, bound: BoundListener) {
        bound.service.accepted_by(&self.handle.0.alarm);
        let id = bound.profile.id;
        if let Err(error) = self.listeners.add(bound, self.poll.registrar()) {
            self.loop_notices.push_back(LoopNotice::failed(kind::ACCEPT_ERROR, id, &error));
        }
    }

    /// Whether there is something to accept. Nothing is while too many notices wait for room in the ring, or accepted
    /// sockets for a watch. A closing listener does not wait for the latter.
    pub(super) fn can_accept(&self) -> bool {
        self.untold.len() < UNTOLD
            && (self.unwatched.is_empty() || self.listeners.is_any_closing())
            && self.listeners.is_due(self.inbound.now)
    }

    /// Accepts from the loop's own listeners.
    pub(super) fn accept(&mut self) {
        if !self.can_accept() {
            return;
        }
        let mut sink = AcceptBatch::new(UNTOLD.saturating_sub(self.untold.len()));
        let closed = self.listeners.sweep(self.inbound.now, self.poll.registrar(), &mut sink);
        for accepted in sink.accepted {
            self.handle.assign_connection();
            self.adopt(accepted);
        }
        for (id, errno) in sink.errors {
            let notice = LoopNotice { errno, ..LoopNotice::of(kind::ACCEPT_ERROR, id) };
            self.loop_notices.push_back(notice);
        }
        for id in closed {
            self.drain_connections_of(id);
        }
    }

    /// A listener is closed: what its connections have received by now is still delivered.
    pub(super) fn drain_connections_of(&mut self, id: u32) {
        self.end_awaiting_headers_of(id);
        self.drop_unwatched_of(id);
        for slot in 0..self.connections.slots() {
            if let Some((_, connection)) = self.connections.get_mut(slot)
                && connection.profile.id == id
            {
                connection.drain();
                self.go_on(slot);
            }
        }
        self.loop_notices.push_back(LoopNotice::of(kind::LISTENER_CLOSED, id));
    }
}

/// What a loop accepts itself in one turn.
struct AcceptBatch {
    room: usize,
    accepted: Vec<AcceptedSocket>,
    errors: Vec<(u32, i32)>,
}

impl AcceptBatch {
    fn new(room: usize) -> Self {
        Self { room, accepted: Vec::new(), errors: Vec::new() }
    }
}

impl AcceptSink for AcceptBatch {
    fn has_room(&mut self) -> bool {
        self.accepted.len() < self.room
    }

    fn accept(&mut self, accepted: AcceptedSocket) {
        self.accepted.push(accepted);
    }

    fn fail(&mut self, listener: u32, errno: i32) {
        self.errors.push((listener, errno));
    }
}
