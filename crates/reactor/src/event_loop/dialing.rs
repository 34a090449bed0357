//! Connections that are being made: sockets that are half open, until the peer or the user decides.
//!
//! Each dial is answered exactly once: by an `OPEN`, or by `CONNECT_FAILED`, with no error where the
//! user cancelled it.

use super::{DIALS, EventLoop, News, is_marked};
use crate::dial::{Dial, Tried};
use crate::slab::Slab;
use crate::socket::Socket;
use crate::timers::Timers;
use millrace_ring::record::kind;
use mio::Token;
use mio::event::Event;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The first wait for a Unix socket whose backlog is full, and the longest: it doubles between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A dial that has no answer yet.
#[derive(Debug)]
struct Entry {
    dial: Box<Dial>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The peer's answer is awaited.
    Begun(Socket),
    /// The peer had no room: tried again at `deadline`.
    Full { socket: socket2::Socket, wait: Duration, deadline: u64 },
}

impl State {
    fn begun(self) -> Option<Socket> {
        match self {
            Self::Begun(socket) => Some(socket),
            Self::Full { .. } => None,
        }
    }

    fn as_begun(&mut self) -> Option<&mut Socket> {
        match self {
            Self::Begun(socket) => Some(socket),
            Self::Full { .. } => None,
        }
    }
}

/// What a loop is connecting to.
#[derive(Debug)]
pub(super) struct Dialing {
    entries: Slab<Entry>,
    /// Slots by the users' numbers, to cancel by.
    numbers: HashMap<u32, u32>,
    timers: Timers,
}

impl Dialing {
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: Slab::new(), numbers: HashMap::new(), timers: Timers::new(now) }
    }

    pub(super) fn is_mine(token: Token) -> bool {
        is_marked(token, DIALS)
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

    fn token(slot: u32, generation: u32) -> Token {
        Token(DIALS | super::token(slot, generation).0)
    }

    fn insert(&mut self, entry: Entry) {
        let number = entry.dial.number();
        let slot = self.entries.insert(entry);
        self.numbers.insert(number, slot);
    }

    fn remove(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.entries.remove(slot)?;
        self.numbers.remove(&entry.dial.number());
        if let State::Full { deadline, .. } = entry.state {
            self.timers.set(slot, deadline, 0);
        }
        Some(entry)
    }
}

/// Whether an event alone says that a socket is connected, so that it need not be asked. One that is not
/// yet has its end in the event too.
fn says_connected(event: &Event) -> bool {
    millrace_sys::SHORT_MEANS_DRAINED
        && event.is_writable()
        && !(event.is_error() || event.is_write_closed() || event.is_read_closed())
}

impl EventLoop {
    /// Begins to connect.
    pub(super) fn dial(&mut self, dial: Box<Dial>) {
        let tried = dial.begin();
        self.tried(dial, tried, BACK_OFF.0);
    }

    /// Goes on after a try; `wait` is how long until the next, if the peer had no room.
    fn tried(&mut self, dial: Box<Dial>, tried: io::Result<Tried>, wait: Duration) {
        match tried {
            Ok(Tried::Connected(socket)) => self.open(*dial, socket, false),
            Ok(Tried::Begun(socket)) => self.await_answer(dial, socket),
            Ok(Tried::Full(socket)) => {
                let timers = &mut self.dialing.timers;
                let deadline = timers.at(self.io.now, wait);
                timers.set(self.dialing.entries.next().0, 0, deadline);
                let state = State::Full { socket, wait, deadline };
                self.dialing.insert(Entry { dial, state });
            }
            Err(error) => self.fail(&dial, &error),
        }
    }

    fn await_answer(&mut self, dial: Box<Dial>, mut socket: Socket) {
        let (slot, generation) = self.dialing.entries.next();
        let registry = self.poll.registry();
        match socket.register(registry, Dialing::token(slot, generation)) {
            Ok(()) => self.dialing.insert(Entry { dial, state: State::Begun(socket) }),
            Err(error) => self.fail(&dial, &error),
        }
    }

    /// An event of a half-open socket.
    pub(super) fn answered(&mut self, event: &Event) {
        let slot = super::slot_of(event.token());
        let Some((generation, entry)) = self.dialing.entries.get_mut(slot) else { return };
        let token = Dialing::token(slot, generation);
        // Of a socket that had this slot before.
        if token != event.token() {
            return;
        }
        let Some(socket) = entry.state.as_begun() else { return };
        let failure = if says_connected(event) {
            None
        } else if let Some(error) = socket.take_error() {
            Some(error)
        } else if socket.is_connected() {
            None
        } else {
            // An event too early. Some back ends say nothing more unless they are asked again.
            match socket.reregister(self.poll.registry(), token) {
                Ok(()) => return,
                Err(error) => Some(error),
            }
        };
        let Some(Entry { dial, state }) = self.dialing.remove(slot) else { return };
        let Some(mut socket) = state.begun() else { return };
        match failure {
            None => self.open(*dial, socket, true),
            Some(error) => {
                socket.deregister(self.poll.registry());
                self.fail(&dial, &error);
            }
        }
    }

    /// Tries again with those that have waited long enough.
    pub(super) fn dial_again(&mut self) {
        while let Some(slot) = self.dialing.timers.expired(self.io.now) {
            let Some(Entry { dial, state: State::Full { socket, wait, .. } }) =
                self.dialing.remove(slot)
            else {
                continue;
            };
            let tried = dial.again(socket);
            self.tried(dial, tried, (wait * 2).min(BACK_OFF.1));
        }
    }

    /// Gives up a dial, unless it was answered already.
    pub(super) fn cancel(&mut self, number: u32) {
        let slot = self.dialing.numbers.get(&number).copied();
        let Some(entry) = slot.and_then(|slot| self.dialing.remove(slot)) else { return };
        if let Some(mut socket) = entry.state.begun() {
            socket.deregister(self.poll.registry());
        }
        self.give_up(News::of(kind::CONNECT_FAILED, number));
    }

    fn fail(&mut self, dial: &Dial, error: &io::Error) {
        self.give_up(News::failed(kind::CONNECT_FAILED, dial.number(), error));
    }

    fn give_up(&mut self, news: News) {
        self.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
        self.news.push_back(news);
    }

    /// The peer has taken it: from here on it is a connection like any other.
    fn open(&mut self, dial: Dial, mut socket: Socket, is_registered: bool) {
        let token = match self.token_of_next() {
            Ok(token) => token,
            Err(error) => {
                socket.deregister(self.poll.registry());
                return self.fail(&dial, &error);
            }
        };
        let registry = self.poll.registry();
        let registered = if is_registered {
            socket.connected(registry, token)
        } else {
            socket.register(registry, token)
        };
        if let Err(error) = registered {
            return self.fail(&dial, &error);
        }
        let peer = dial.peer();
        self.begin(socket, dial.listener, peer, dial.paused);
    }
}
