//! A loop that dies while the acceptor holds a connection for which the loop's queue had no room.

use crate::support::net::connect;
use crate::support::{Event, Key, Listen, Setup, User, What};
use millrace_reactor::{Balance, Framing, LoopHandle};
use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

/// Untold opens at which a loop takes no more from its queue.
const UNTOLD: usize = 1024;
/// The size of that queue.
const QUEUE: usize = 1024;
/// More than both together and the ring hold. Few enough stay in the backlog for any system.
const PEERS: usize = 2200;

/// Two loops, peers that are all assigned to one of them, and which loop that is. The user takes no records, so
/// the loop takes what it can, and the acceptor waits.
fn stalled() -> (User, Vec<TcpStream>, usize) {
    let mut user = User::start(Setup { ring: 4 << 10, threads: 2 });
    let mut listen = Listen::new(Framing::Raw);
    // All have one source address.
    listen.balance = Balance::SourceHash;
    let address = user.listen(&listen);
    let mut peers = vec![connect(address)];
    let Key { lane: busy, .. } = user.opened();
    peers.extend((1..PEERS).map(|_| connect(address)));
    // The open connections, those in the queue, and the one that found no room.
    let is_stalled = |lane: &LoopHandle| {
        let opened = lane.counters().opened as usize;
        opened > UNTOLD && lane.connections() == opened + QUEUE + 1
    };
    while !is_stalled(user.lane(busy)) {
        std::thread::yield_now();
    }
    (user, peers, busy)
}

/// How many connections are lost with a stalled loop: those that it has opened, and those in its queue. The
/// one for which it had no room goes to the other loop.
fn lost_with(lane: &LoopHandle) -> usize {
    lane.counters().opened as usize + QUEUE
}

/// The peers that the live loop reports as open, counted back from the last one: as many as the dead loop
/// was not given.
fn served(user: &mut User, peers: &[TcpStream], dead: usize) -> HashSet<u16> {
    user.opened_by(&peers[PEERS - 1]);
    // When the last connection is assigned, all are.
    let count = PEERS - lost_with(user.lane(dead));
    let mut ports = HashSet::from([peers[PEERS - 1].local_addr().unwrap().port()]);
    while ports.len() < count {
        ports.insert(user.find(|event| match event.what {
            What::Open { remote: Some(remote), .. } if event.key.lane != dead => {
                Some(remote.port())
            }
            _ => None,
        }));
    }
    ports
}

fn is_cut(mut peer: &TcpStream) -> bool {
    match peer.read(&mut [0; 8]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn connections_waiting_for_a_dead_loop_are_closed_and_the_next_go_to_live_loops() {
    let (mut user, peers, busy) = stalled();
    // From here on only that loop wakes the acceptor.
    user.lane(busy).inject_panic();
    let served = served(&mut user, &peers, busy);
    for peer in &peers {
        if !served.contains(&peer.local_addr().unwrap().port()) {
            assert!(is_cut(peer));
        }
    }
}

#[test]
fn a_listener_close_behind_a_dead_loop_is_told_after_the_last_connection() {
    let (mut user, peers, busy) = stalled();
    user.close_listener(7);
    user.lane(busy).inject_panic();
    let mut open = 0;
    loop {
        let Event { key, what } = user.next();
        match what {
            What::Open { .. } if key.lane != busy => open += 1,
            What::ListenerClosed(7) => break,
            _ => {}
        }
    }
    assert_eq!(open, PEERS - lost_with(user.lane(busy)));
    drop(peers);
}
