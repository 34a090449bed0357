//! What accepting survives, with errors of the kernel made up.

use super::{AcceptSink, BACK_OFF, Listener};
use crate::accepting::testing::listening;
use crate::accepting::{AcceptedSocket, BoundListener};
use crate::balancing::Balance;
use crate::poll::{Events, Key, Poll};
use crate::service::Service;
use rustix::io::Errno;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Taken {
    accepted: Vec<AcceptedSocket>,
    errors: Vec<(u32, i32)>,
}

impl AcceptSink for Taken {
    fn has_room(&mut self) -> bool {
        true
    }

    fn accept(&mut self, accepted: AcceptedSocket) {
        self.accepted.push(accepted);
    }

    fn fail(&mut self, listener: u32, errno: i32) {
        self.errors.push((listener, errno));
    }
}

/// A listener that has a connection to accept.
fn listener_with_peer(service: &Arc<Service>) -> (Listener, TcpStream, Poll) {
    let bound = BoundListener::new(listening(), service).unwrap();
    let address = bound.local().inet().unwrap();
    let mut poll = Poll::new().unwrap();
    let mut listener = Listener::start(bound, poll.registrar(), Key::Listener(0)).unwrap();
    let peer = TcpStream::connect(address).unwrap();
    let mut events = Events::with_capacity(1);
    while events.iter().next().is_none() {
        poll.wait(&mut events, None);
    }
    listener.note_event();
    (listener, peer, poll)
}

/// One attempt to accept, as if the kernel had answered with this error.
fn fail(listener: &mut Listener, errno: Errno, now: Instant, sink: &mut Taken) {
    assert!(listener.is_due(now));
    let place = listener.bound.service.reserve().expect("places are lost");
    listener.awaited = None;
    listener.take(Err(io::Error::from(errno)), Some(place), now, sink);
}

#[test]
fn lack_of_memory_is_told_once_and_accepting_is_tried_again_after_doubling_waits() {
    for errno in [Errno::NOBUFS, Errno::NOMEM] {
        // With one place, a lost place would be noticed.
        let service = Service::new(Balance::RoundRobin, 1, false);
        let (mut listener, _peer, _poll) = listener_with_peer(&service);
        let mut sink = Taken::default();
        let mut now = Instant::now();
        let mut wait = BACK_OFF.0;
        for _ in 0..10 {
            fail(&mut listener, errno, now, &mut sink);
            assert_eq!(listener.retry_at(), Some(now + wait));
            assert!(!listener.is_due(now + wait - Duration::from_nanos(1)));
            now += wait;
            wait = BACK_OFF.1.min(wait * 2);
        }
        assert_eq!(wait, BACK_OFF.1);
        assert_eq!(sink.errors, [(7, errno.raw_os_error())]);
        // The connection has waited, and no event came for it again.
        assert!(listener.is_due(now));
        listener.sweep(now, &mut sink);
        assert_eq!(sink.accepted.len(), 1);
        assert_eq!(listener.retry_at(), None);
        // The next wait is short again, and it is still the same episode.
        sink.accepted.clear();
        fail(&mut listener, errno, now, &mut sink);
        assert_eq!(listener.retry_at(), Some(now + BACK_OFF.0));
        assert_eq!(sink.errors.len(), 1);
        now += BACK_OFF.0;
        // The next attempt finds the backlog empty: the episode is over, and the next failure is a new one.
        listener.sweep(now, &mut sink);
        assert!(!listener.is_due(now));
        listener.note_event();
        fail(&mut listener, errno, now, &mut sink);
        assert_eq!(listener.retry_at(), Some(now + BACK_OFF.0));
        assert_eq!(sink.errors.len(), 2);
    }
}

#[test]
fn lack_of_memory_is_forgotten_when_the_backlog_turns_out_empty() {
    let service = Service::new(Balance::RoundRobin, 1, false);
    let (mut listener, _peer, _poll) = listener_with_peer(&service);
    let mut sink = Taken::default();
    let mut now = Instant::now();
    for _ in 0..3 {
        fail(&mut listener, Errno::NOMEM, now, &mut sink);
        now = listener.retry_at().unwrap();
    }
    // The peer that had waited has gone by now.
    fail(&mut listener, Errno::AGAIN, now, &mut sink);
    assert!(!listener.is_due(now));
    listener.note_event();
    fail(&mut listener, Errno::NOMEM, now, &mut sink);
    assert_eq!(listener.retry_at(), Some(now + BACK_OFF.0));
    assert_eq!(sink.errors.len(), 2);
}

#[test]
fn lack_of_memory_ends_when_a_connection_closes() {
    let service = Service::new(Balance::RoundRobin, 2, false);
    let (mut listener, _peer, _poll) = listener_with_peer(&service);
    let mut sink = Taken::default();
    let now = Instant::now();
    let other = service.reserve().expect("another connection is open");
    fail(&mut listener, Errno::NOBUFS, now, &mut sink);
    assert!(!listener.is_due(now));
    drop(other);
    assert!(listener.is_due(now));
    listener.sweep(now, &mut sink);
    assert_eq!(sink.accepted.len(), 1);
}

#[test]
fn a_listener_of_a_full_server_closes_although_no_place_becomes_free() {
    let service = Service::new(Balance::RoundRobin, 1, false);
    let (mut listener, _peer, _poll) = listener_with_peer(&service);
    let mut sink = Taken::default();
    let now = Instant::now();
    let _other = service.reserve().expect("another connection is open");
    assert!(!listener.sweep(now, &mut sink));
    assert!(!listener.is_due(now), "it waits for a place");
    listener.close();
    assert!(listener.is_due(now));
    assert!(listener.sweep(now, &mut sink));
    assert!(sink.accepted.is_empty());
}

#[test]
fn the_last_sweep_accepts_although_the_listener_is_paused_before_or_after_close() {
    for is_paused_first in [false, true] {
        let service = Service::new(Balance::RoundRobin, 0, false);
        let (mut listener, _peer, _poll) = listener_with_peer(&service);
        let mut sink = Taken::default();
        let now = Instant::now();
        if is_paused_first {
            listener.pause(true);
        }
        listener.close();
        listener.pause(true);
        assert!(listener.is_due(now));
        assert!(listener.sweep(now, &mut sink));
        assert_eq!(sink.accepted.len(), 1);
    }
}
