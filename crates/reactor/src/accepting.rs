//! Accepting from one listening socket, which survives what accepting meets.

use crate::address::Address;
use crate::bound::Bound;
use crate::listener::Listener;
use crate::service::Awaited;
use crate::socket::Socket;
use millrace_sys::{AcceptError, Duplicate};
use mio::{Registry, Token};
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first wait after descriptors or memory ran out, and the longest: it doubles between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// Connections accepted from one socket before anybody else has a turn.
const BURST: usize = 256;
/// Connections that the last sweep takes at most, or a flood would keep a listener open: as many as a
/// backlog can hold.
const LAST_SWEEP: usize = 1 << 16;

/// Takes what a listener accepts.
pub(crate) trait Sink {
    /// False while nothing more can be taken.
    fn has_room(&mut self) -> bool;
    /// A connection, counted in its service.
    fn accept(&mut self, socket: Socket, peer: Address, listener: &Arc<Listener>);
    /// Accepting fails; told once an episode.
    fn fail(&mut self, listener: u32, errno: i32);
}

/// A listening socket that is accepted from.
#[derive(Debug)]
pub(crate) struct Accepting {
    bound: Bound,
    /// The kernel may have connections: set by its edge, cleared by `WouldBlock`.
    ready: bool,
    is_paused: bool,
    /// It is closing: how many connections its last sweep may still take.
    last: Option<usize>,
    /// What it waits for, if not for the kernel; and when to try without it.
    awaited: Option<Awaited>,
    retry: Option<Instant>,
    wait: Duration,
    /// The user was told that accepting fails, and connections have been waiting ever since.
    failing: bool,
}

impl Accepting {
    pub(crate) fn start(mut bound: Bound, registry: &Registry, token: Token) -> io::Result<Self> {
        bound.socket.register(registry, token)?;
        Ok(Self {
            bound,
            ready: false,
            is_paused: false,
            last: None,
            awaited: None,
            retry: None,
            wait: BACK_OFF.0,
            failing: false,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.bound.listener.id
    }

    pub(crate) fn note_event(&mut self) {
        self.ready = true;
    }

    /// The backlog holds what comes, until it goes on.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        // The last sweep is not to be held up.
        self.is_paused = is_paused && self.last.is_none();
    }

    /// Begins the last sweep, paused or not: [`sweep`](Self::sweep) says when it is through.
    pub(crate) fn close(&mut self) {
        self.ready = true;
        self.is_paused = false;
        self.awaited = None;
        self.last = self.last.or(Some(LAST_SWEEP));
    }

    pub(crate) fn duplicate(&mut self) -> io::Result<Duplicate> {
        self.bound.duplicate()
    }

    /// When to try again, whatever happens.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry.filter(|_| self.awaited.is_some() && !self.is_paused)
    }

    /// True if a call of [`sweep`](Self::sweep) would try to accept now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.ready && !self.is_paused && !self.is_waiting(now)
    }

    fn is_waiting(&self, now: Instant) -> bool {
        self.awaited.is_some_and(|awaited| {
            !self.bound.service.has_come(awaited) && self.retry.is_none_or(|at| now < at)
        })
    }

    /// Accepts as many as it may in one go; true once the last sweep is through.
    pub(crate) fn sweep(&mut self, now: Instant, sink: &mut dyn Sink) -> bool {
        self.awaited = None;
        let burst = self.last.unwrap_or(BURST).min(BURST);
        let mut taken = 0;
        while taken < burst && self.ready && self.awaited.is_none() && sink.has_room() {
            self.accept(now, sink);
            taken += 1;
        }
        self.last.as_mut().is_some_and(|left| {
            *left -= taken;
            *left == 0 || !self.ready || self.awaited.is_some()
        })
    }

    fn accept(&mut self, now: Instant, sink: &mut dyn Sink) {
        let service = &self.bound.service;
        // Before it is accepted: the backlog holds those for whom there is no place.
        let holds_place = !service.refuses();
        if holds_place && !service.reserve() {
            let awaited = service.await_place();
            if !service.reserve() {
                self.awaited = Some(awaited);
                self.retry = None;
                return;
            }
        }
        let result = self.bound.socket.accept();
        self.settle(result, holds_place, now, sink);
    }

    /// Deals with what accepting gave.
    fn settle(
        &mut self,
        result: io::Result<(Socket, Address)>,
        holds_place: bool,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        match result {
            Ok((socket, peer)) => {
                self.wait = BACK_OFF.0;
                // A socket that is refused closes here.
                if holds_place || self.bound.service.reserve() {
                    sink.accept(socket, peer, &self.bound.listener);
                }
            }
            Err(error) => {
                if holds_place {
                    self.bound.service.give_back();
                }
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.ready = false;
                    self.failing = false;
                    self.wait = BACK_OFF.0;
                } else if millrace_sys::accept_error(&error) == AcceptError::BackOff {
                    self.back_off(now, &error, sink);
                }
            }
        }
    }

    /// The edge does not come again, so it is tried again by time and at every close.
    fn back_off(&mut self, now: Instant, error: &io::Error, sink: &mut dyn Sink) {
        if !mem::replace(&mut self.failing, true) {
            sink.fail(self.id(), error.raw_os_error().unwrap_or(0));
        }
        self.retry = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
        self.awaited = Some(self.bound.service.await_close());
    }

    /// After the last sweep.
    pub(crate) fn deregister(&mut self, registry: &Registry) {
        self.bound.socket.deregister(registry);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Accepting, BACK_OFF, Sink};
    use crate::address::Address;
    use crate::balance::Balance;
    use crate::bound::Bound;
    use crate::listener::Listener;
    use crate::service::Service;
    use crate::socket::Socket;
    use crate::testing::listening;
    use mio::{Events, Poll, Token};
    use rustix::io::Errno;
    use std::io;
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[derive(Default)]
    struct Taken {
        sockets: Vec<Socket>,
        errors: Vec<(u32, i32)>,
    }

    impl Sink for Taken {
        fn has_room(&mut self) -> bool {
            true
        }

        fn accept(&mut self, socket: Socket, _: Address, _: &Arc<Listener>) {
            self.sockets.push(socket);
        }

        fn fail(&mut self, listener: u32, errno: i32) {
            self.errors.push((listener, errno));
        }
    }

    /// A listener that has a connection to accept.
    fn accepting(service: &Arc<Service>) -> (Accepting, TcpStream, Poll) {
        let bound = Bound::new(listening(), service).unwrap();
        let address = bound.local().inet().unwrap();
        let mut poll = Poll::new().unwrap();
        let mut accepting = Accepting::start(bound, poll.registry(), Token(1)).unwrap();
        let peer = TcpStream::connect(address).unwrap();
        let mut events = Events::with_capacity(1);
        while events.is_empty() {
            poll.poll(&mut events, None).unwrap();
        }
        accepting.note_event();
        (accepting, peer, poll)
    }

    /// One try to accept, to which the kernel is said to have answered that.
    fn fail(accepting: &mut Accepting, errno: Errno, now: Instant, sink: &mut Taken) {
        assert!(accepting.is_due(now));
        assert!(accepting.bound.service.reserve(), "places are lost");
        accepting.awaited = None;
        accepting.settle(Err(io::Error::from(errno)), true, now, sink);
    }

    #[test]
    fn want_of_memory_is_told_once_and_tried_again_ever_later_until_it_is_over() {
        for errno in [Errno::NOBUFS, Errno::NOMEM] {
            // A place that is lost would be missed.
            let service = Service::new(Balance::RoundRobin, 1, false);
            let (mut accepting, _peer, _poll) = accepting(&service);
            let mut sink = Taken::default();
            let mut now = Instant::now();
            let mut wait = BACK_OFF.0;
            for _ in 0..10 {
                fail(&mut accepting, errno, now, &mut sink);
                assert_eq!(accepting.retry_at(), Some(now + wait));
                assert!(!accepting.is_due(now + wait - Duration::from_nanos(1)));
                now += wait;
                wait = BACK_OFF.1.min(wait * 2);
            }
            assert_eq!(wait, BACK_OFF.1);
            assert_eq!(sink.errors, [(7, errno.raw_os_error())]);
            // The connection has waited, and no event has said so once more.
            assert!(accepting.is_due(now));
            accepting.sweep(now, &mut sink);
            assert_eq!(sink.sockets.len(), 1);
            assert_eq!(accepting.retry_at(), None);
            // It is worth trying soon again, and still the same want.
            service.release();
            fail(&mut accepting, errno, now, &mut sink);
            assert_eq!(accepting.retry_at(), Some(now + BACK_OFF.0));
            assert_eq!(sink.errors.len(), 1);
            now += BACK_OFF.0;
            // The next try finds that there are no more: that was all of it, and what comes is new.
            accepting.sweep(now, &mut sink);
            assert!(!accepting.is_due(now));
            accepting.note_event();
            fail(&mut accepting, errno, now, &mut sink);
            assert_eq!(accepting.retry_at(), Some(now + BACK_OFF.0));
            assert_eq!(sink.errors.len(), 2);
        }
    }

    #[test]
    fn want_of_memory_that_ended_with_nobody_to_accept_is_forgotten() {
        let service = Service::new(Balance::RoundRobin, 1, false);
        let (mut accepting, _peer, _poll) = accepting(&service);
        let mut sink = Taken::default();
        let mut now = Instant::now();
        for _ in 0..3 {
            fail(&mut accepting, Errno::NOMEM, now, &mut sink);
            now = accepting.retry_at().unwrap();
        }
        // Who had waited has gone by now.
        fail(&mut accepting, Errno::AGAIN, now, &mut sink);
        assert!(!accepting.is_due(now));
        accepting.note_event();
        fail(&mut accepting, Errno::NOMEM, now, &mut sink);
        assert_eq!(accepting.retry_at(), Some(now + BACK_OFF.0));
        assert_eq!(sink.errors.len(), 2);
    }

    #[test]
    fn want_of_memory_is_over_when_a_connection_closes() {
        let service = Service::new(Balance::RoundRobin, 2, false);
        let (mut accepting, _peer, _poll) = accepting(&service);
        let mut sink = Taken::default();
        let now = Instant::now();
        assert!(service.reserve(), "another connection is open");
        fail(&mut accepting, Errno::NOBUFS, now, &mut sink);
        assert!(!accepting.is_due(now));
        service.release();
        assert!(accepting.is_due(now));
        accepting.sweep(now, &mut sink);
        assert_eq!(sink.sockets.len(), 1);
    }
}
