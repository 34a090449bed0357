//! Listeners: how many connections they accept, and how they close.

#[cfg(target_os = "linux")]
use crate::support::net::connect_from;
use crate::support::net::{connect, read_all, read_exactly, write_and_finish};
use crate::support::{Event, Key, Listen, Setup, User, What, frames};
use millrace_reactor::{Balance, BoundListener, Framing, Service};
use millrace_ring::record::reason;
use std::io::{Read, Write};
use std::net::TcpStream;

const ALL: [Setup; 5] = [
    Setup::LARGE,
    Setup::SMALL,
    Setup::LARGE_INLINE,
    Setup::SMALL_INLINE,
    Setup { ring: 64 << 10, threads: 4 },
];

fn opened(event: &Event) -> bool {
    matches!(event.what, What::Open { .. })
}

#[test]
fn a_full_server_accepts_the_next_connection_when_one_closes() {
    for setup in ALL {
        let mut user = User::start(setup);
        let mut listen = Listen::new(Framing::Raw);
        listen.max = 10;
        let address = user.listen(&listen);
        // The backlog holds connections for which there is no place.
        let mut peers: Vec<_> = (0..30).map(|_| connect(address)).collect();
        for peer in &mut peers {
            peer.write_all(b"hello").unwrap();
        }
        let mut open: Vec<Key> = (0..10).map(|_| user.opened()).collect();
        for round in 0..20 {
            open.iter().for_each(|key| user.settle(*key));
            assert!(!user.has(opened));
            let key = open.remove(round % 10);
            assert_eq!(user.data(key), b"hello");
            user.destroy(key);
            user.closed(key);
            open.push(user.opened());
        }
    }
}

#[test]
fn a_full_server_that_refuses_closes_the_next_connection_at_once() {
    for setup in ALL {
        let mut user = User::start(setup);
        let mut listen = Listen::new(Framing::Raw);
        (listen.max, listen.refuse) = (2, true);
        let address = user.listen(&listen);
        let kept: Vec<_> = (0..2).map(|_| connect(address)).collect();
        let keys: Vec<_> = kept.iter().map(|peer| user.opened_by(peer)).collect();
        for _ in 0..20 {
            let mut refused = connect(address);
            // An inline loop accepts when it is driven.
            keys.iter().for_each(|key| user.settle(*key));
            // A FIN, or an RST if the peer had sent something, and nothing else.
            assert!(!refused.read(&mut [0; 8]).is_ok_and(|count| count > 0));
        }
        assert!(!user.has(opened));
        user.destroy(keys[0]);
        user.closed(keys[0]);
        let next = connect(address);
        user.opened_by(&next);
    }
}

/// Answers requests until every connection is closed and every loop has reported that the listener is closed.
/// Returns how many were answered.
fn answer_until_closed(user: &mut User, framing: &Framing, connections: usize) -> usize {
    let (mut answered, mut closed, mut told) = (0, 0, 0);
    while closed < connections || told < user.group.loops().len() {
        let Event { key, what } = user.next();
        match what {
            What::Data(body) => {
                user.reply(key, framing, &body);
                answered += 1;
            }
            What::Eof(why) => {
                assert_eq!(why, reason::DRAINING);
                user.close(key);
            }
            What::Close(_) => closed += 1,
            What::ListenerClosed(id) => told += usize::from(id == 7),
            _ => {}
        }
    }
    answered
}

#[test]
fn requests_sent_before_a_listener_closes_are_answered() {
    const PEERS: usize = 100;
    for setup in ALL {
        let framing = frames::length(64);
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(framing.clone()));
        let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
        for mut peer in &peers {
            // A whole request, and a part of one that will never be completed.
            peer.write_all(&[0, 0, 0, 2, b'h', b'i', 0, 0, 0]).unwrap();
        }
        user.close_listener(7);
        let answers = std::thread::scope(|scope| {
            let read = |peer: TcpStream| read_all(&peer);
            let reader = scope.spawn(move || peers.into_iter().map(read).collect::<Vec<_>>());
            assert_eq!(answer_until_closed(&mut user, &framing, PEERS), PEERS);
            reader.join().unwrap()
        });
        assert!(answers.iter().all(|answer| *answer == [0, 0, 0, 2, b'h', b'i']));
        // The port is free.
        let service = Service::new(Balance::RoundRobin, 0, false);
        let again = Listen { address, ..Listen::new(framing) };
        assert_eq!(
            BoundListener::new(again.options(), &service).unwrap().local().inet(),
            Some(address)
        );
    }
}

#[test]
fn closing_a_listener_leaves_the_others_open() {
    for setup in ALL {
        let mut user = User::start(setup);
        let one = user.listen(&Listen { id: 1, ..Listen::new(Framing::Raw) });
        let two = user.listen(&Listen { id: 2, ..Listen::new(Framing::Raw) });
        let mut peers: Vec<_> = [one, two].iter().map(|address| connect(*address)).collect();
        let keys: Vec<_> = peers.iter().map(|peer| user.opened_by(peer)).collect();
        user.close_listener(1);
        assert_eq!(user.eof(keys[0]), reason::DRAINING);
        user.close(keys[0]);
        peers[1].write_all(b"ping").unwrap();
        assert_eq!(user.data(keys[1]), b"ping");
        let next = connect(two);
        user.opened_by(&next);
        assert!(TcpStream::connect(one).is_err());
    }
}

#[test]
fn a_listener_closed_with_exactly_the_frames_of_a_turn_received_ends_its_input() {
    // As many as go into the ring in one turn, or in two, and one more or less.
    for frames in [2047, 2048, 2049, 4096] {
        let listen = Listen { id: 7, ..Listen::new(Framing::Fixed { size: 1 }) };
        let (mut user, mut peer, key) = User::with_peer(Setup::LARGE, &listen);
        user.pause(key);
        user.settle(key);
        peer.write_all(&vec![b'x'; frames]).unwrap();
        user.settle(key);
        user.close_listener(7);
        user.resume(key);
        for _ in 0..frames {
            assert_eq!(user.data(key), b"x");
        }
        assert_eq!(user.eof(key), reason::DRAINING, "{frames} frames");
        user.close(key);
    }
}

#[test]
fn a_listener_closed_with_a_paused_connection_delivers_after_resume() {
    for setup in ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.pause(key);
        user.settle(key);
        (&peer).write_all(b"before").unwrap();
        user.close_listener(7);
        user.find(|event| (event.what == What::ListenerClosed(7)).then_some(()));
        user.resume(key);
        assert_eq!(user.data(key), b"before");
        assert_eq!(user.eof(key), reason::DRAINING);
        user.write(key, b"answer");
        user.close(key);
        user.settle(key);
        assert_eq!(read_exactly(&peer, 6), b"answer");
        write_and_finish(&peer, b"");
        assert_eq!(user.closed(key).reason, reason::NONE);
    }
}

/// Every loop says that the listener is closed after all of its opens.
fn opens_before_closed(user: &mut User, loops: usize, expected: usize) {
    let mut closed = std::collections::HashSet::new();
    let mut opens = 0;
    while closed.len() < loops {
        let Event { key, what } = user.next();
        match what {
            What::Open { .. } => {
                assert!(!closed.contains(&key.lane), "an open after its listener was closed");
                opens += 1;
            }
            What::ListenerClosed(7) => assert!(closed.insert(key.lane), "closed twice"),
            _ => {}
        }
    }
    assert_eq!(opens, expected);
}

#[test]
fn a_closing_listener_takes_everything_that_its_backlog_holds() {
    const PEERS: usize = 2500;
    for setup in [Setup::LARGE_INLINE, Setup::SMALL_INLINE] {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        user.step();
        let _peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
        user.close_listener(7);
        opens_before_closed(&mut user, 1, PEERS);
    }
}

// On other systems only 127.0.0.1 exists without being set up.
#[cfg(target_os = "linux")]
#[test]
fn a_loop_with_untold_opens_does_not_spin_and_tells_all_of_them_before_the_close() {
    // More than one loop can hold untold plus its hand-off queue. All peers have one source address.
    const PEERS: usize = 3000;
    let mut user = User::start(Setup { ring: 4 << 10, threads: 2 });
    let mut listen = Listen::new(Framing::Raw);
    listen.balance = Balance::SourceHash;
    let address = user.listen(&listen);
    let _first = connect(address);
    let busy = user.opened().lane;
    // A connection on the other loop serves as a clock.
    let mut last = 1;
    let mut ticker = loop {
        last += 1;
        let peer = connect_from(last, address);
        if user.opened_by(&peer).lane != busy {
            break peer;
        }
    };
    let _peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
    let mut ticks = |user: &mut User| {
        for _ in 0..50 {
            let before = user.lane(1 - busy).counters().received;
            ticker.write_all(b"tick").unwrap();
            while user.lane(1 - busy).counters().received == before {
                std::thread::yield_now();
            }
            user.take_from(1 - busy);
        }
    };
    ticks(&mut user);
    let before = user.lane(busy).counters().turns;
    ticks(&mut user);
    let turns = user.lane(busy).counters().turns - before;
    assert!(turns < 10, "{turns} turns of a loop with nothing to do");
    user.close_listener(7);
    opens_before_closed(&mut user, 2, PEERS);
}
