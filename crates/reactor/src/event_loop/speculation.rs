//! Reading from the one connection that talks, before the kernel is asked whose event it is.
//!
//! A client that asks, waits for the answer and asks again makes one event a turn, always the same. An
//! inline loop, which was told that there is an event, then reads from that connection without asking the
//! kernel which socket it is about: one system call less before each answer.
//!
//! Where the driver is told of the event even after it was read, it would turn in vain each time, so
//! nothing is done there.
//!
//! Other connections never wait for long: the kernel is asked as soon as there is nothing to read or more
//! than a little, and in any case after a while.

use super::EventLoop;
use crate::poll::{Events, Key};
use std::time::{Duration, Instant};

/// Turns in a row that belonged to one connection, after which the next one is expected to.
pub(super) const SURE: u32 = 4;
/// More than this is not a question that waits for its answer.
const LITTLE: u64 = 4 << 10;
/// How long the kernel may go without being asked.
pub(super) const PATIENCE: Duration = Duration::from_micros(500);

/// Which connection is expected to have the next event.
#[derive(Debug)]
pub(super) struct Speculation {
    /// What the only event was about when the kernel was asked last.
    pub(super) key: Option<Key>,
    /// How many times in a row that was so.
    pub(super) turns: u32,
    /// When the kernel was asked last.
    pub(super) asked: Instant,
}

impl Speculation {
    pub(super) fn new(now: Instant) -> Self {
        Self { key: None, turns: 0, asked: now }
    }

    fn guess(&self, now: Instant) -> Option<Key> {
        let is_recent = now.saturating_duration_since(self.asked) < PATIENCE;
        let is_sure = millrace_sys::READING_TAKES_BACK_EVENTS && self.turns >= SURE;
        self.key.filter(|_| is_sure && is_recent)
    }

    fn note(&mut self, events: &Events, now: Instant) {
        self.asked = now;
        let mut keys = events.iter().map(crate::poll::Event::key);
        let first = keys.next();
        let only = first.filter(|_| keys.next().is_none());
        self.turns = if only == self.key { self.turns.saturating_add(1) } else { 0 };
        self.key = only;
    }
}

impl EventLoop {
    /// Reads from the expected connection, or takes the kernel's events if it had little to say.
    pub(super) fn take_likely_events(&mut self) {
        let guess = self.speculation.guess(self.inbound.now);
        if guess.is_some_and(|key| self.reads_little(key)) {
            return;
        }
        self.ask_for_events(Some(Duration::ZERO));
        self.speculation.note(&self.events, self.inbound.now);
        self.take_events();
    }

    /// Reads from a connection that had no event; false if the kernel has to be asked all the same.
    fn reads_little(&mut self, guess: Key) -> bool {
        let Key::Connection { slot, generation } = guess else { return false };
        let Some(connection) = self.connections.find(slot, generation) else { return false };
        let before = connection.received();
        connection.transport.expect_input();
        let next = connection.drive(slot, generation, &mut self.inbound);
        let count = connection.received() - before;
        self.schedule(slot, next);
        let is_little = (1..=LITTLE).contains(&count);
        if !is_little {
            self.speculation.turns = 0;
        }
        is_little
    }
}
