//! Connections that are being made: sockets that are not connected yet, until the peer or the user decides.
//!
//! Each dial is answered exactly once: by an `OPEN`, or by `CONNECT_FAILED`, without an error if the user
//! cancelled it.

use super::EventLoop;
use super::accepting::NewConnection;
use super::slab::Slab;
use crate::connecting::{Attempt, Dial};
use crate::notices::LoopNotice;
use crate::poll::{Event, Key};
use crate::service::Place;
use crate::timers::{Moment, Timers};
use crate::transport::Socket;
use millrace_ring::record::kind;
use millrace_sys::SocketOption;
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// The first wait for a Unix socket whose backlog is full, and the longest; it doubles in between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A dial that has no answer yet.
#[derive(Debug)]
struct PendingDial {
    dial: Box<Dial>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The peer's answer is awaited.
    InProgress(Socket),
    /// The peer's backlog was full: tried again at `deadline`.
    BacklogFull { socket: socket2::Socket, wait: Duration, deadline: Moment },
}

impl State {
    fn into_socket(self) -> Option<Socket> {
        match self {
            Self::InProgress(socket) => Some(socket),
            Self::BacklogFull { .. } => None,
        }
    }

    fn socket_mut(&mut self) -> Option<&mut Socket> {
        match self {
            Self::InProgress(socket) => Some(socket),
            Self::BacklogFull { .. } => None,
        }
    }
}

/// The dials of a loop that have no answer yet.
#[derive(Debug)]
pub(super) struct PendingDials {
    entries: Slab<PendingDial>,
    /// Slots by the users' numbers, to cancel by.
    numbers: HashMap<u32, u32>,
    timers: Timers,
}

impl PendingDials {
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: Slab::new(), numbers: HashMap::new(), timers: Timers::new(now) }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn recycle(&mut self) {
        self.entries.recycle();
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.numbers.clear();
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn is_pending(&mut self, slot: u32, generation: u32) -> bool {
        self.entries.find(slot, generation).is_some()
    }

    fn insert(&mut self, entry: PendingDial) {
        let number = entry.dial.number();
        let slot = self.entries.insert(entry);
        self.numbers.insert(number, slot);
    }

    fn remove(&mut self, slot: u32) -> Option<PendingDial> {
        let entry = self.entries.remove(slot)?;
        self.numbers.remove(&entry.dial.number());
        if let State::BacklogFull { deadline, .. } = entry.state {
            self.timers.remove(slot, deadline);
        }
        Some(entry)
    }
}

/// Whether an event alone says that a socket is connected, so that the socket need not be asked. A socket
/// that is not connected yet has its end in the event, too.
fn says_connected(event: Event<'_>) -> bool {
    millrace_sys::SHORT_MEANS_DRAINED
        && event.is_writable()
        && !(event.is_error() || event.is_write_closed() || event.is_read_closed())
}

impl EventLoop {
    /// Begins to connect.
    pub(super) fn dial(&mut self, dial: Box<Dial>) {
        let attempt = dial.begin();
        self.note_attempt(dial, attempt, BACK_OFF.0);
    }

    /// Goes on after an attempt; `wait` is how long until the next one if the peer's backlog was full.
    fn note_attempt(&mut self, dial: Box<Dial>, attempt: io::Result<Attempt>, wait: Duration) {
        match attempt {
            Ok(Attempt::Connected(socket)) => self.open_dialled(*dial, socket, false),
            Ok(Attempt::InProgress(socket)) => self.await_answer(dial, socket),
            Ok(Attempt::BacklogFull(socket)) => {
                let timers = &mut self.dials.timers;
                let deadline = timers.clock(self.inbound.now).after(wait);
                timers.insert(self.dials.entries.next().0, deadline);
                let state = State::BacklogFull { socket, wait, deadline };
                self.dials.insert(PendingDial { dial, state });
            }
            Err(error) => self.dial_failed(&dial, &error),
        }
    }

    fn await_answer(&mut self, dial: Box<Dial>, mut socket: Socket) {
        let (slot, generation) = self.dials.entries.next();
        let key = Key::Connecting { slot, generation };
        match socket.register(self.poll.registrar(), key) {
            Ok(()) => self.dials.insert(PendingDial { dial, state: State::InProgress(socket) }),
            Err(error) => self.dial_failed(&dial, &error),
        }
    }

    /// Takes an event of a socket that is being connected.
    pub(super) fn dial_answered(&mut self, slot: u32, generation: u32, event: Event<'_>) {
        // Not found if the event is of a socket that had this slot before.
        let Some(entry) = self.dials.entries.find(slot, generation) else { return };
        let Some(socket) = entry.state.socket_mut() else { return };
        let failure = if says_connected(event) {
            None
        } else if let Some(error) = socket.take_error() {
            Some(error)
        } else if socket.is_connected() {
            None
        } else {
            // The event came too early. Some back ends report nothing more unless they are asked again.
            match socket.reregister(self.poll.registrar(), event.key()) {
                Ok(()) => return,
                Err(error) => Some(error),
            }
        };
        let Some(PendingDial { dial, state }) = self.dials.remove(slot) else { return };
        let Some(mut socket) = state.into_socket() else { return };
        match failure {
            None => self.open_dialled(*dial, socket, true),
            Some(error) => {
                socket.deregister(self.poll.registrar());
                self.dial_failed(&dial, &error);
            }
        }
    }

    /// Tries again the dials that have waited long enough.
    pub(super) fn dial_again(&mut self) {
        while let Some(slot) = self.dials.timers.expired(self.inbound.now) {
            let Some(PendingDial { dial, state: State::BacklogFull { socket, wait, .. } }) =
                self.dials.remove(slot)
            else {
                continue;
            };
            let attempt = dial.again(socket);
            self.note_attempt(dial, attempt, (wait * 2).min(BACK_OFF.1));
        }
    }

    /// Gives up a dial, unless it was answered already.
    pub(super) fn cancel_dial(&mut self, number: u32) {
        let slot = self.dials.numbers.get(&number).copied();
        let Some(entry) = slot.and_then(|slot| self.dials.remove(slot)) else { return };
        if let Some(mut socket) = entry.state.into_socket() {
            socket.deregister(self.poll.registrar());
        }
        self.answer_failed(LoopNotice::of(kind::CONNECT_FAILED, number));
    }

    fn dial_failed(&mut self, dial: &Dial, error: &io::Error) {
        self.answer_failed(LoopNotice::failed(kind::CONNECT_FAILED, dial.number(), error));
    }

    fn answer_failed(&mut self, notice: LoopNotice) {
        self.handle.release_connection();
        self.loop_notices.push_back(notice);
    }

    /// The peer has accepted: from here on it is a connection like any other.
    fn open_dialled(&mut self, dial: Dial, mut socket: Socket, is_registered: bool) {
        let (remote, local) = (dial.peer(), socket.local_address());
        if socket.is_its_own_peer(&local, &remote) {
            // Nobody listens there, and a server that comes needs the port at once. If the option cannot be set,
            // the connection is gone already.
            let _ = socket.with(|socket| SocketOption::Reset.set(socket, 1));
            socket.deregister(self.poll.registrar());
            drop(socket);
            return self.dial_failed(&dial, &millrace_sys::refused());
        }
        let key = match self.next_connection_key() {
            Ok(key) => key,
            Err(error) => {
                socket.deregister(self.poll.registrar());
                return self.dial_failed(&dial, &error);
            }
        };
        let registrar = self.poll.registrar();
        let registered = if is_registered {
            socket.rekey(registrar, key)
        } else {
            socket.register(registrar, key)
        };
        if let Err(error) = registered {
            return self.dial_failed(&dial, &error);
        }
        self.begin_connection(NewConnection {
            socket,
            profile: dial.profile,
            place: Place::none(),
            remote,
            local,
            is_paused: dial.paused,
            has_input: false,
        });
    }
}
