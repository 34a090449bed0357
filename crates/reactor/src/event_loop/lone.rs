//! The one connection that talks: a client that asks, waits for the answer and asks again makes one event a
//! turn, always the same. An inline loop, which was told that there is an event, then reads from that
//! connection without asking the kernel whose it is: one system call less before each answer.
//!
//! Where the driver would be told of the event all the same, it would turn in vain each time, so there it
//! is left alone.
//!
//! Nobody waits behind it for long: the kernel is asked as soon as there is nothing to read or more than a
//! little, and in any case after a while.

use super::{EventLoop, slot_of, token};
use mio::{Events, Token};
use std::time::{Duration, Instant};

/// Turns in a row that belonged to one connection, after which the next one is expected to.
pub(super) const SURE: u32 = 4;
/// More than this is no question that waits for its answer.
const LITTLE: u64 = 4 << 10;
/// How long the kernel is not asked.
pub(super) const PATIENCE: Duration = Duration::from_micros(500);

#[derive(Debug)]
pub(super) struct Lone {
    /// Who had the only event when the kernel was asked last.
    pub(super) token: Option<Token>,
    /// How many times in a row that was so.
    pub(super) turns: u32,
    /// When it was asked.
    pub(super) asked: Instant,
}

impl Lone {
    pub(super) fn new(now: Instant) -> Self {
        Self { token: None, turns: 0, asked: now }
    }

    fn guess(&self, now: Instant) -> Option<Token> {
        let is_recent = now.saturating_duration_since(self.asked) < PATIENCE;
        let is_sure = millrace_sys::READING_TAKES_BACK_EVENTS && self.turns >= SURE;
        self.token.filter(|_| is_sure && is_recent)
    }

    fn note(&mut self, events: &Events, now: Instant) {
        self.asked = now;
        let mut tokens = events.iter().map(mio::event::Event::token);
        let first = tokens.next();
        let only = first.filter(|_| tokens.next().is_none());
        self.turns = if only == self.token { self.turns.saturating_add(1) } else { 0 };
        self.token = only;
    }
}

impl EventLoop {
    pub(super) fn take_likely_events(&mut self) {
        let guess = self.lone.guess(self.io.now);
        if guess.is_some_and(|token| self.reads_little(token)) {
            return;
        }
        self.look(Some(Duration::ZERO));
        self.lone.note(&self.events, self.io.now);
        self.take_events();
    }

    /// Reads from a connection that had no event; false if the kernel has to be asked all the same.
    fn reads_little(&mut self, guess: Token) -> bool {
        let slot = slot_of(guess);
        let Some((generation, conn)) = self.conns.get_mut(slot) else { return false };
        if token(slot, generation) != guess {
            return false;
        }
        let before = conn.received();
        conn.ready.readable = true;
        let next = conn.drive(slot, generation, &mut self.io);
        let count = conn.received() - before;
        self.settle(slot, next);
        let is_little = (1..=LITTLE).contains(&count);
        if !is_little {
            self.lone.turns = 0;
        }
        is_little
    }
}
