//! All attackers on one event loop.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::attacker::{Attacker, Kind, LARGEST_STRIKE, Payload};
use crate::pace::Pace;
use crate::report::Object;

/// What was done so far.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Connections that were established.
    connected: u64,
    /// Connections that we reset.
    reset: u64,
    /// Connections that the server ended.
    cut: u64,
    /// Connections that could not be established.
    failed: u64,
    /// Bytes that the kernel took.
    bytes: u64,
}

/// An attack that goes on.
#[derive(Debug)]
pub struct Attackers {
    poll: Poll,
    events: Events,
    payload: Payload,
    address: SocketAddr,
    /// The number of source addresses, from 127.0.0.1 on.
    spread: u32,
    /// The most attackers at a time.
    most: usize,
    pace: Pace,
    attackers: Slab<Attacker>,
    /// When which attacker sends again. All wait equally long, so that the order is that of time.
    waiting: VecDeque<(Instant, usize, u64)>,
    begun: u64,
    counts: Counts,
}

impl Attackers {
    /// Prepares an attack by at most `most` attackers at a time, of whom `rate` come per second.
    pub fn new(
        payload: Payload,
        address: SocketAddr,
        spread: u32,
        most: usize,
        rate: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            payload,
            address,
            spread,
            most,
            pace: Pace::new(rate, Instant::now()),
            attackers: Slab::with_capacity(most),
            waiting: VecDeque::new(),
            begun: 0,
            counts: Counts::default(),
        })
    }

    /// Lets more attackers come, and those send whose time has come; then does what happens within `timeout`.
    pub fn turn(&mut self, timeout: Duration) -> io::Result<()> {
        let now = Instant::now();
        while self.attackers.len() < self.most && self.pace.take(now) {
            self.begin()?;
        }
        while let Some(&(due, key, serial)) = self.waiting.front()
            && due <= now
        {
            self.waiting.pop_front();
            if self.attackers.get(key).is_some_and(|attacker| attacker.serial == serial) {
                self.send(key, due);
            }
        }
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.handle(event);
        }
        self.events = events;
        Ok(())
    }

    /// What was done so far, and how many attackers are there.
    pub fn report(&self) -> Object {
        let Counts { connected, reset, cut, failed, bytes } = self.counts;
        Object::default()
            .with("connected", connected)
            .with("reset", reset)
            .with("cut", cut)
            .with("failed", failed)
            .with("bytes", bytes)
            .with("open", self.attackers.len())
    }

    fn begin(&mut self) -> io::Result<()> {
        let serial = self.begun;
        self.begun += 1;
        let offset = (serial % u64::from(self.spread)) as u32;
        let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + offset);
        match Attacker::connect(self.payload.kind, serial, source, self.address) {
            Err(_) => self.counts.failed += 1,
            Ok(attacker) => {
                let key = self.attackers.insert(attacker);
                let interest = Interest::READABLE | Interest::WRITABLE;
                let stream = &mut self.attackers[key].stream;
                self.poll.registry().register(stream, Token(key), interest)?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event) {
        let Token(key) = event.token();
        let Some(attacker) = self.attackers.get_mut(key) else { return };
        if attacker.is_established {
            if event.is_error() || event.is_read_closed() {
                self.cut(key);
            } else if event.is_writable() && self.payload.kind == Kind::NeverRead {
                self.send(key, Instant::now());
            }
        } else if event.is_error() {
            self.attackers.remove(key);
            self.counts.failed += 1;
        } else if event.is_writable() {
            attacker.is_established = true;
            self.counts.connected += 1;
            if self.payload.kind == Kind::ConnectReset {
                self.attackers.remove(key);
                self.counts.reset += 1;
            } else {
                self.send(key, Instant::now());
            }
        }
    }

    /// Lets an attacker send at `now`, and again after the interval.
    fn send(&mut self, key: usize, now: Instant) {
        let attacker = &mut self.attackers[key];
        match attacker.send(&self.payload) {
            Ok(count) => {
                self.counts.bytes += count as u64;
                let again = if count < LARGEST_STRIKE {
                    self.payload.interval()
                } else {
                    Some(Duration::ZERO) // there may be room for more, which no event says
                };
                if let Some(interval) = again {
                    self.waiting.push_back((now + interval, key, attacker.serial));
                }
            }
            Err(_) => self.cut(key),
        }
    }

    fn cut(&mut self, key: usize) {
        self.attackers.remove(key);
        self.counts.cut += 1;
    }
}
