//! Accepted sockets that the poll does not take.

use super::{Bench, PATIENCE, start};
use crate::accepting::testing::{LISTENER, listening};
use crate::accepting::{ListenOptions, ListenerCommand};
use crate::event_loop::Turn;
use crate::event_loop::unwatched::MOST;
use crate::handoff::LoopCommand;
use crate::poll::NO_ROOM;
use crate::proxy::{Network, ProxyProtocol};
use millrace_ring::record::{kind, news};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";

/// What was told, by kind: errors of accepting with their numbers, openings, and closed listeners.
#[derive(Default)]
struct Told {
    errors: Vec<i32>,
    opened: usize,
    closed: usize,
}

impl Bench {
    fn note(&mut self, told: &mut Told) {
        for (label, payload) in self.take() {
            match label.kind {
                kind::ACCEPT_ERROR => {
                    let at = news::ERRNO as usize;
                    told.errors.push(i32::from_ne_bytes(payload[at..at + 4].try_into().unwrap()));
                }
                kind::OPEN => told.opened += 1,
                kind::LISTENER_CLOSED => told.closed += 1,
                _ => {}
            }
        }
    }

    fn turn_until_told(&mut self, told: &mut Told, is_enough: impl Fn(&Told) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut turn = Turn { pending: true, next_deadline: None };
        while !is_enough(told) {
            assert!(Instant::now() < deadline, "nothing came");
            turn = self.event_loop.wait_and_turn(turn);
            self.note(told);
        }
    }

    fn refuse(&self, times: u32) {
        self.event_loop.poll.refusals.set(times);
    }
}

fn listen(bench: &mut Bench, id: u32, with_header: bool) -> SocketAddr {
    let trusted = vec![Network::new([127, 0, 0, 0].into(), 8).unwrap()];
    let proxy = ProxyProtocol { trusted, trusts_unix: false, timeout: PATIENCE };
    let proxy = with_header.then_some(proxy);
    let address = bench.listen_with(ListenOptions { id, proxy, backlog: 512, ..listening() }, 0);
    bench.event_loop.work();
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

#[test]
fn accepted_connections_wait_until_the_poll_takes_them_and_the_user_is_told_once() {
    for with_header in [false, true] {
        let mut bench = start();
        let address = listen(&mut bench, LISTENER, with_header);
        let mut peers: Vec<_> = (0..10).map(|_| connect(address)).collect();
        if with_header {
            peers.iter_mut().for_each(|peer| peer.write_all(HEADER).unwrap());
        }
        bench.refuse(3);
        let mut told = Told::default();
        bench.turn_until_told(&mut told, |told| !told.errors.is_empty());
        assert_eq!(told.opened, 0);
        // It does not turn in vain meanwhile.
        let before = bench.counters().turns;
        bench.turn_until_told(&mut told, |told| told.opened == 10);
        assert!(bench.counters().turns <= before + 20, "it tries without a pause");
        assert_eq!(told.errors, [NO_ROOM]);
        // A later episode is told again.
        bench.refuse(1);
        let mut late = connect(address);
        if with_header {
            late.write_all(HEADER).unwrap();
        }
        bench.turn_until_told(&mut told, |told| told.opened == 11);
        assert_eq!(told.errors, [NO_ROOM; 2]);
    }
}

#[test]
fn the_loop_sleeps_and_accepts_nothing_while_sockets_wait() {
    let mut bench = start();
    let address = listen(&mut bench, LISTENER, false);
    let _first = connect(address);
    bench.refuse(u32::MAX);
    let mut told = Told::default();
    bench.turn_until_told(&mut told, |told| !told.errors.is_empty());
    let _second = connect(address);
    let turn = bench.event_loop.turn(Some(PATIENCE));
    assert!(!turn.pending && !bench.event_loop.rest());
    assert!(turn.next_deadline.is_some());
    assert_eq!(bench.event_loop.handle.connections(), 1);
}

#[test]
fn a_listener_closes_though_its_connections_wait() {
    let mut bench = start();
    let address = listen(&mut bench, LISTENER, false);
    let mut peer = connect(address);
    bench.refuse(u32::MAX);
    let mut told = Told::default();
    bench.turn_until_told(&mut told, |told| !told.errors.is_empty());
    let mut late = connect(address);
    bench.command(LoopCommand::Listener(ListenerCommand::Close(LISTENER)));
    bench.turn_until_told(&mut told, |told| told.closed == 1);
    for peer in [&mut peer, &mut late] {
        let end = peer.read(&mut [0; 1]);
        assert!(end.as_ref().is_ok_and(|count| *count == 0) || is_reset(end));
    }
    assert_eq!(bench.event_loop.handle.connections(), 0);
}

fn is_reset(end: std::io::Result<usize>) -> bool {
    end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn no_more_than_a_number_of_sockets_waits() {
    let mut bench = start();
    let addresses = [listen(&mut bench, 1, false), listen(&mut bench, 2, false)];
    let each = MOST / 2 + 20;
    let peers: Vec<_> = addresses.iter().flat_map(|to| (0..each).map(|_| connect(*to))).collect();
    bench.refuse(1);
    let mut told = Told::default();
    bench.turn_until_told(&mut told, |told| told.opened == MOST);
    assert_eq!(bench.event_loop.handle.connections(), MOST);
    assert_eq!(told.errors, [NO_ROOM]);
    drop(peers);
}
