//! One event loop as a state machine: a turn does what there is to do, whoever calls it.
//!
//! `accepting.rs` takes connections in, `dialing.rs` makes others, `obeying.rs` does what the user wrote to
//! them, `settling.rs` puts them where they have to go next, `asking.rs` answers questions about them,
//! `telling.rs` says what they have to tell, `lone.rs` reads from one without being asked to, `datagrams.rs` is
//! for sockets without connections.

mod accepting;
mod asking;
mod datagrams;
mod dialing;
mod lone;
mod obeying;
mod settling;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use telling::News;

use crate::acceptor::{WAKER, drop_item};
use crate::conn::Conn;
use crate::control::Cause;
use crate::handoff::Handoff;
use crate::io::{BATCH, Io};
use crate::listeners::Listeners;
use crate::lists::Lists;
use crate::shared::{Bell, LoopHandle};
use crate::slab::Slab;
use crate::timers::Timers;
use datagrams::DatagramSockets;
use dialing::Dialing;
use lone::Lone;
use millrace_ring::record::kind;
use millrace_ring::{Consumer, Producer};
use mio::{Events, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Slots that a token has room for; the generation stands above.
const SLOT_BITS: u32 = 24;
/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// Connections whose `OPEN` waits for room in the ring, before no more are accepted.
const UNTOLD: usize = 1024;
/// Commands taken in one turn: thousands of dials delay the other connections no longer than this.
const COMMANDS: usize = 256;

/// What a turn leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Something can go on at once: call again without waiting.
    pub pending: bool,
    /// Call again at this time at the latest, event or not.
    pub next_deadline: Option<Instant>,
}

/// A loop: its connections, its poll, and the near ends of its two rings.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    events: Events,
    io: Io,
    outbound: Consumer,
    handle: LoopHandle,
    conns: Slab<Conn>,
    datagrams: DatagramSockets,
    lists: Lists,
    /// Connections and datagram sockets with something to tell.
    untold: VecDeque<u32>,
    /// What there is to tell of no connection.
    news: VecDeque<News>,
    timers: Timers,
    listeners: Listeners,
    dialing: Dialing,
    lone: Lone,
}

/// Set in the tokens of sockets that are being connected, and of datagram sockets. Those of connections
/// have the 56 bits below; those of listeners and the waker have all bits above.
const DIALS: usize = 1 << (usize::BITS - 2);
const DATAGRAMS: usize = 1 << (usize::BITS - 3);

/// Whether a token has that mark, and no other.
fn is_marked(token: Token, mark: usize) -> bool {
    token.0 >> (usize::BITS - 3) == mark >> (usize::BITS - 3)
}

fn token(slot: u32, generation: u32) -> Token {
    Token(slot as usize | (generation as usize) << SLOT_BITS)
}

/// The slot that a token names; a slot that has moved on has another token.
fn slot_of(token: Token) -> u32 {
    (token.0 & ((1 << SLOT_BITS) - 1)) as u32
}

impl EventLoop {
    /// A loop that fills `inbound` and empties `outbound`, and rings `bell` for both.
    ///
    /// # Errors
    /// Those of making a poll.
    pub fn new(inbound: Producer, outbound: Consumer, bell: Arc<dyn Bell>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let handle = LoopHandle::new(Waker::new(poll.registry(), WAKER)?, bell);
        let now = Instant::now();
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            io: Io::new(inbound, handle.0.clone(), now),
            outbound,
            handle,
            conns: Slab::new(),
            datagrams: DatagramSockets::new(),
            lists: Lists::default(),
            untold: VecDeque::new(),
            news: VecDeque::new(),
            timers: Timers::new(now),
            listeners: Listeners::default(),
            dialing: Dialing::new(now),
            lone: Lone::new(now),
        })
    }

    /// The loop as others see it.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }

    /// The descriptor that is readable when there are events, where there is one: an epoll or kqueue.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        millrace_sys::poll_descriptor(&self.poll)
    }

    /// Waits for events, no longer than `timeout`, unless there is something to do already.
    ///
    /// # Panics
    /// If a peer of the rings broke their rules, or on a bug; the caller isolates it.
    pub fn wait_and_turn(&mut self, last: Turn) -> Turn {
        let mut timeout = last.next_deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if last.pending || self.rest() {
            timeout = Some(Duration::ZERO);
        }
        self.wake_after(timeout);
        self.advance(Self::take_events_twice)
    }

    /// Before sleeping: who publishes from here on rings. True if there is something to do already.
    pub fn rest(&mut self) -> bool {
        let hungry = self.is_hungry();
        self.handle.0.alarm.doorbell.rest(hungry);
        // The second look: what came before the rest does not ring.
        !self.outbound.is_empty()
            || self.untold.len() < UNTOLD && !self.handle.0.handoff.is_empty()
            || !self.handle.0.commands.is_empty()
            || self.handle.0.stop.load(Ordering::Acquire)
            // Another loop may have made a place for what this one has to accept.
            || self.can_accept()
            || self.is_fed()
    }

    /// Waits for events, no longer than `timeout`, and does what there is to do: reads and writes
    /// sockets, takes records and hands over others, accepts, closes.
    ///
    /// # Panics
    /// If a peer of the rings broke their rules, or on a bug; the caller isolates it.
    pub fn turn(&mut self, timeout: Option<Duration>) -> Turn {
        self.wake_after(timeout);
        self.work()
    }

    /// A turn without waiting, for a driver that saw that the poll has events.
    ///
    /// # Panics
    /// If a peer of the rings broke their rules, or on a bug; the caller isolates it.
    pub fn turn_now(&mut self) -> Turn {
        self.handle.0.alarm.doorbell.rise();
        self.advance(Self::take_likely_events)
    }

    /// Does what there is to do, without asking the kernel for events.
    ///
    /// # Panics
    /// If a peer of the rings broke their rules, or on a bug; the caller isolates it.
    pub fn work(&mut self) -> Turn {
        self.advance(Self::take_events)
    }

    /// A turn, with that way to take the events that the kernel has told of.
    fn advance<T>(&mut self, take_events: impl FnOnce(&mut Self) -> T) -> Turn {
        self.io.now = Instant::now();
        self.io.shared.counters.turns(1);
        // The lists as they are now: who is put there during the turn has the next.
        let (ready, starved) = (self.lists.ready.len(), self.lists.starved.len());
        for _ in 0..starved {
            // Before the others' events. Who has no chance now stays in front of who had one.
            if !self.io.has_room() {
                break;
            }
            if let Some(slot) = self.lists.starved.pop_front() {
                self.io.is_crowded = false;
                self.go_on_after_waiting(slot);
            }
        }
        self.io.is_crowded = !self.lists.starved.is_empty();
        take_events(self);
        self.io.publish();
        self.take_handoff();
        self.take_records();
        self.accept();
        for _ in 0..ready {
            self.go_on_with_next_ready();
        }
        while self.is_held_one_free() {
            if let Some((slot, _)) = self.lists.held.pop_front() {
                self.go_on_after_waiting(slot);
            }
        }
        self.expire();
        self.dial_again();
        self.tell();
        self.io.publish();
        self.conns.recycle();
        self.dialing.recycle();
        self.datagrams.recycle();
        Turn { pending: self.is_pending(), next_deadline: self.next_deadline() }
    }

    /// Sends what the ring holds, one try for each connection, and drops everything.
    pub fn finish(&mut self) {
        self.take_records();
        self.drop_all();
    }

    /// After a panic: nothing half-done is shown, everything is dropped, and the user is told.
    pub fn die(&mut self) {
        self.io.discard();
        // ORDER: Release: whoever sees it has all records that were published.
        self.handle.0.dead.store(true, Ordering::Release);
        self.drop_all();
        self.handle.0.bell.ring();
        // It may be waiting for room in this loop's queue, which nobody will make now.
        if let Some(acceptor) = self.handle.0.acceptor.get() {
            acceptor.ring();
        }
    }

    fn drop_all(&mut self) {
        self.news.clear();
        self.listeners.clear();
        self.dialing.clear();
        for slot in 0..self.conns.slots() {
            // Whose socket is gone was counted as closed then, and only its last word is missing.
            if let Some(conn) = self.conns.remove(slot)
                && let Some(socket) = &conn.socket
            {
                conn.calm(Cause::NONE, socket);
                conn.listener.release();
            }
        }
        self.conns.clear();
        self.datagrams.clear();
        while self.handle.0.handoff.pop().map(drop_item).is_some() {}
        self.handle.drop_commands();
    }

    /// Whether anybody waits for the user to consume the inbound ring.
    fn is_hungry(&self) -> bool {
        self.wants_room() || !self.lists.held.is_empty()
    }

    fn wants_room(&self) -> bool {
        !self.lists.starved.is_empty() || !self.untold.is_empty() || !self.news.is_empty()
    }

    /// Whether what is waited for is there.
    fn is_fed(&mut self) -> bool {
        self.wants_room() && self.io.has_room() || self.is_held_one_free()
    }

    fn is_held_one_free(&mut self) -> bool {
        self.lists.held.front().is_some_and(|(_, position)| self.io.inbound.is_consumed(*position))
    }

    fn is_pending(&self) -> bool {
        !self.lists.ready.is_empty() || self.can_accept()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let retry = self.listeners.next_retry().filter(|_| self.untold.len() < UNTOLD);
        let all = [self.timers.next(), retry, self.dialing.next_deadline()];
        all.into_iter().flatten().min()
    }

    /// Takes the events that there are, and then those that came meanwhile, before the user's thread is woken:
    /// that costs more than asking the kernel once more, and who is busy sends meanwhile. A single event is
    /// told of at once, and so is much: nobody waits behind a flood for longer than without.
    fn take_events_twice(&mut self) {
        let before = self.io.inbound.position();
        let seen = self.take_events();
        let gathered = self.io.inbound.position().wrapping_sub(before);
        if seen > 1 && gathered < BATCH {
            self.look(Some(Duration::ZERO));
            self.take_events();
        }
    }

    /// Sleeps until there are events, no longer than `timeout`; from here on nobody rings.
    fn wake_after(&mut self, timeout: Option<Duration>) {
        self.look(timeout);
        self.handle.0.alarm.doorbell.rise();
    }

    /// Asks the kernel for events.
    fn look(&mut self, timeout: Option<Duration>) {
        // EINTR is as good as no event; nothing else is to be expected of a valid poll.
        if self.poll.poll(&mut self.events, timeout).is_err() {
            self.events.clear();
        }
    }

    /// How many there were.
    fn take_events(&mut self) -> usize {
        let mut seen = 0;
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            seen += 1;
            let token = event.token();
            if token == WAKER || self.listeners.note(token) {
                continue;
            }
            if Dialing::is_mine(token) {
                self.answered(event);
                continue;
            }
            if self.note_datagrams(event) {
                self.io.publish_batch();
                continue;
            }
            let slot = slot_of(token);
            let Some((generation, conn)) = self.conns.get_mut(slot) else { continue };
            // Of a connection that had this slot before.
            if self::token(slot, generation) != token {
                continue;
            }
            conn.ready.note(event);
            let next = conn.drive(slot, generation, &mut self.io);
            self.settle(slot, next);
            self.io.publish_batch();
        }
        self.events = events;
        self.events.clear();
        seen
    }

    fn take_handoff(&mut self) {
        for _ in 0..COMMANDS {
            let Some(command) = self.handle.0.commands.pop() else { break };
            self.take(command);
        }
        let mut taken = false;
        for _ in 0..COMMANDS {
            if self.untold.len() >= UNTOLD {
                break;
            }
            let Some(item) = self.handle.0.handoff.pop() else { break };
            taken = true;
            self.take(item);
            self.io.publish_batch();
        }
        if taken
            && self.handle.0.stalled.swap(false, Ordering::AcqRel)
            && let Some(acceptor) = self.handle.0.acceptor.get()
        {
            acceptor.ring();
        }
    }

    fn take(&mut self, item: Handoff) {
        match item {
            Handoff::Accepted(accepted) => self.adopt(accepted),
            Handoff::Order(order) => self.obey(order),
            Handoff::Connect(dial) => self.dial(dial),
            Handoff::CancelConnect(number) => self.cancel(number),
            Handoff::Closed(id) => self.drain(id),
            Handoff::Datagrams(bound) => self.open_datagrams(*bound),
            Handoff::AcceptFailed(id, errno) => {
                self.news.push_back(News { errno, ..News::of(kind::ACCEPT_ERROR, id) });
            }
            Handoff::Option { slot, generation, what, ticket } => {
                let result = self.option(slot, generation, what);
                self.news.push_back(News::answer(ticket, result));
            }
            Handoff::Answer(news) => self.news.push_back(news),
            #[cfg(feature = "inject")]
            Handoff::Panic => panic!("injected"),
        }
    }
}
