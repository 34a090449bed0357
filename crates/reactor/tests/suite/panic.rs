//! A loop that panics takes its own connections with it, and nothing else.

use crate::support::net::{connect, read_exactly};
use crate::support::{Event, Key, Listen, Setup, User, What};
use millrace_reactor::{Balance, Framing};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn is_cut(mut peer: &TcpStream) -> bool {
    !peer.read(&mut [0; 8]).is_ok_and(|count| count > 0)
}

fn pairs(user: &mut User, address: SocketAddr, count: usize) -> Vec<(TcpStream, Key)> {
    let peers: Vec<_> = (0..count).map(|_| connect(address)).collect();
    peers
        .into_iter()
        .map(|peer| {
            let key = user.opened_by(&peer);
            (peer, key)
        })
        .collect()
}

fn kill(user: &mut User, lane: usize) {
    user.lane(lane).inject_panic();
    user.is_stirred = true;
    user.until(|user| (!user.lane(lane).is_alive()).then_some(()));
}

fn answers(user: &mut User, peer: &TcpStream, key: Key) {
    let mut writer = peer;
    writer.write_all(b"ping").unwrap();
    assert_eq!(user.data(key), b"ping");
    user.write(key, b"pong");
    assert_eq!(read_exactly(peer, 4), b"pong");
}

#[test]
fn a_panic_closes_the_connections_of_that_loop_only() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections, Balance::SourceHash] {
        let mut user = User::start(Setup::threads(3));
        let mut listen = Listen::new(Framing::Raw);
        listen.balance = balance;
        let address = user.listen(&listen);
        let before = pairs(&mut user, address, 30);
        let dead = before[0].1.lane;
        kill(&mut user, dead);
        for (peer, key) in &before {
            if key.lane == dead {
                assert!(is_cut(peer));
            } else {
                answers(&mut user, peer, *key);
            }
        }
        // The balancer skips the dead loop.
        for (peer, key) in pairs(&mut user, address, 30) {
            assert_ne!(key.lane, dead);
            answers(&mut user, &peer, key);
        }
        let alive: Vec<_> = user.group.loops().iter().map(|each| each.is_alive()).collect();
        assert_eq!(alive.iter().filter(|alive| !**alive).count(), 1);
    }
}

#[test]
fn a_panic_with_a_full_inbound_ring_publishes_only_whole_records() {
    for ring in [4 << 10, 64 << 10] {
        let mut user = User::start(Setup { ring, threads: 2 });
        let address = user.listen(&Listen::new(Framing::Raw));
        let all = pairs(&mut user, address, 2);
        let (loud, key) = &all[0];
        loud.set_nonblocking(true).unwrap();
        let mut writer = loud;
        while writer.write(&[b'x'; 5000]).is_ok() {}
        user.lane(key.lane).inject_panic();
        // Nobody has read the ring since it filled up, so it still has what it held.
        user.until(|user| (!user.lane(key.lane).is_alive()).then_some(()));
        let mut told = 0;
        while user.has(|event| event.key == *key) {
            match user.next() {
                Event { what: What::Data(bytes), .. } => {
                    assert!(bytes.iter().all(|byte| *byte == b'x'));
                    told += bytes.len();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(told > ring / 4, "{told}");
        let (peer, key) = &all[1];
        answers(&mut user, peer, *key);
    }
}

#[test]
fn connections_that_were_closed_before_a_panic_are_not_counted_twice() {
    const MAX: usize = 300;
    let mut user = User::start(Setup { ring: 4 << 10, threads: 2 });
    let mut listen = Listen::new(Framing::Raw);
    listen.max = MAX;
    let address = user.listen(&listen);
    let first = pairs(&mut user, address, MAX);
    let dead = first[0].1.lane;
    // More closes than the ring has room for, and nobody takes them.
    for (_, key) in first.iter().filter(|(_, key)| key.lane == dead) {
        user.destroy(*key);
    }
    while user.lane(dead).connections() > 0 {
        std::thread::yield_now();
    }
    kill(&mut user, dead);
    // Each of their places was freed once.
    let more = pairs(&mut user, address, MAX / 2);
    let _waiting = connect(address);
    for (peer, key) in &more {
        answers(&mut user, peer, *key);
    }
    assert!(!user.has(|event| matches!(event.what, What::Open { .. })));
}

#[test]
fn an_inline_loop_that_panics_does_not_take_its_user_with_it() {
    for ring in [4 << 10, 1 << 20] {
        let mut user = User::start(Setup { ring, threads: 0 });
        let address = user.listen(&Listen::new(Framing::Raw));
        let peer = connect(address);
        let key = user.opened();
        kill(&mut user, 0);
        assert!(is_cut(&peer));
        assert_eq!(user.group.turn(), None);
        assert!(!user.has(|event| event.key == key));
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn connections_are_closed_when_no_loop_is_alive() {
    let mut user = User::start(Setup::threads(2));
    let address = user.listen(&Listen::new(Framing::Raw));
    let before = pairs(&mut user, address, 2);
    kill(&mut user, 0);
    kill(&mut user, 1);
    assert!(before.iter().all(|(peer, _)| is_cut(peer)));
    // Accepted, and closed because there is no loop.
    assert!(is_cut(&connect(address)));
    user.group.stop();
}
