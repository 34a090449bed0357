//! One port for several loops: each accepts for itself, and all count as one server.

use crate::support::net::{connect, read_exactly};
use crate::support::{Event, Listen, Setup, User, What};
use millrace_reactor::Framing;
use std::io::Write;

const LOOPS: Setup = Setup { ring: 64 << 10, threads: 4 };

#[test]
#[cfg_attr(not(any(target_os = "linux", target_os = "freebsd")), ignore = "ports are not shared")]
fn each_loop_accepts_from_the_shared_port() {
    const PEERS: usize = 200;
    let mut user = User::start(LOOPS);
    let address = user.listen_on_each(&Listen::new(Framing::Raw));
    let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
    let lanes: std::collections::HashSet<_> = (0..PEERS).map(|_| user.opened().lane).collect();
    assert_eq!(lanes.len(), 4);
    drop(peers);
}

/// Serves `peers` connections, at most `max` at a time; one closes whenever the server is full.
fn serve_all(user: &mut User, max: usize, peers: usize) {
    let mut open = std::collections::VecDeque::new();
    let mut closed = 0;
    let mut opened = 0;
    while closed < peers {
        match user.next() {
            Event { key, what: What::Open { .. } } => {
                opened += 1;
                open.push_back(key);
                assert!(open.len() <= max, "{} are open", open.len());
            }
            Event { what: What::Close(_), .. } => closed += 1,
            _ => {}
        }
        let is_last = opened == peers;
        while open.len() == max || is_last && !open.is_empty() {
            // Its place is free from here on.
            let key = open.pop_front().unwrap();
            user.destroy(key);
        }
    }
}

#[test]
#[cfg_attr(not(any(target_os = "linux", target_os = "freebsd")), ignore = "ports are not shared")]
fn a_full_server_with_several_acceptors_never_misses_a_close() {
    const PEERS: usize = 400;
    for max in [1, 2, 5] {
        let mut user = User::start(LOOPS);
        let mut listen = Listen::new(Framing::Raw);
        listen.max = max;
        let address = user.listen_on_each(&listen);
        let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
        serve_all(&mut user, max, PEERS);
        drop(peers);
    }
}

#[test]
#[cfg_attr(not(any(target_os = "linux", target_os = "freebsd")), ignore = "ports are not shared")]
fn an_acceptor_and_accepting_loops_share_the_places_of_one_server() {
    const EACH: usize = 200;
    for max in [1, 3] {
        let mut user = User::start(LOOPS);
        let mut listen = Listen::new(Framing::Raw);
        listen.max = max;
        let service = listen.service();
        let one = user.listen_for(&service, &Listen { id: 1, ..listen.clone() }, None);
        let mut two = Listen { id: 2, reuse_port: true, ..listen };
        for lane in 0..4 {
            two.address = user.listen_for(&service, &two, Some(lane));
        }
        let peers: Vec<_> = (0..EACH).flat_map(|_| [connect(one), connect(two.address)]).collect();
        serve_all(&mut user, max, 2 * EACH);
        drop(peers);
    }
}

#[test]
#[cfg_attr(not(any(target_os = "linux", target_os = "freebsd")), ignore = "ports are not shared")]
fn a_shared_listener_closes_on_every_loop_and_received_requests_are_answered() {
    const PEERS: usize = 100;
    let mut user = User::start(LOOPS);
    let address = user.listen_on_each(&Listen::new(Framing::Raw));
    let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
    for mut peer in &peers {
        peer.write_all(b"hello").unwrap();
    }
    user.close_listener_on_each(7);
    let (mut told, mut answered) = (0, 0);
    while told < 4 || answered < PEERS {
        let Event { key, what } = user.next();
        match what {
            What::Data(bytes) => {
                user.write(key, &bytes);
                answered += 1;
            }
            What::Eof(_) => user.close(key),
            What::ListenerClosed(7) => told += 1,
            _ => {}
        }
    }
    user.take();
    for peer in &peers {
        assert_eq!(read_exactly(peer, 5), b"hello");
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}
