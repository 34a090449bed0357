//! Which loop a new connection goes to.

use crate::support::net::connect_from;
use crate::support::{Key, Listen, Setup, User, What};
use millrace_reactor::{Balance, Framing};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;

const LOOPS: usize = 4;
const PEERS: usize = 1000;
const THREADS: usize = 8;

/// A user with four loops.
fn four_loops(balance: Balance) -> (User, SocketAddr) {
    let mut user = User::start(Setup::threads(LOOPS));
    let mut listen = Listen::new(Framing::Raw);
    listen.balance = balance;
    // On all addresses of the machine, because source hashes need several.
    listen.address = SocketAddr::from(([0, 0, 0, 0], 0));
    let address = user.listen(&listen);
    (user, SocketAddr::from(([127, 0, 0, 1], address.port())))
}

fn open(user: &mut User, address: SocketAddr) -> (Vec<TcpStream>, Vec<Key>) {
    thread::scope(|scope| {
        let each = || -> Vec<_> {
            (0..PEERS / THREADS).map(|_| TcpStream::connect(address).unwrap()).collect()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(each)).collect();
        let keys = (0..PEERS).map(|_| user.opened()).collect();
        let peers = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (peers, keys)
    })
}

fn per_loop(keys: &[Key]) -> [usize; LOOPS] {
    let mut counts = [0; LOOPS];
    keys.iter().for_each(|key| counts[key.lane] += 1);
    counts
}

#[test]
fn round_robin_gives_each_loop_the_same_number_of_connections() {
    let (mut user, address) = four_loops(Balance::RoundRobin);
    let (_peers, keys) = open(&mut user, address);
    assert_eq!(per_loop(&keys), [PEERS / LOOPS; LOOPS]);
}

#[test]
fn round_robin_counts_over_all_listeners_of_a_server() {
    use millrace_reactor::{BoundListener, Service};
    let mut user = User::start(Setup::threads(LOOPS));
    let service = Service::new(Balance::RoundRobin, 0, false);
    let bound: Vec<_> = (0..3)
        .map(|id| {
            let listen = Listen { id, ..Listen::new(Framing::Raw) };
            BoundListener::new(listen.options(), &service).unwrap()
        })
        .collect();
    let addresses: Vec<_> = bound.iter().map(|bound| bound.local().inet().unwrap()).collect();
    bound.into_iter().for_each(|bound| user.group.listen(bound, None).unwrap());
    let mut peers = Vec::new();
    for at in 0..30 {
        peers.push(TcpStream::connect(addresses[at % 3]).unwrap());
        let (key, listener) = user.find(|event| match event.what {
            What::Open { listener, .. } => Some((event.key, listener)),
            _ => None,
        });
        assert_eq!((key.lane, listener as usize), (at % LOOPS, at % 3));
    }
}

#[test]
fn least_connections_stays_within_one_while_connections_only_open() {
    let (mut user, address) = four_loops(Balance::LeastConnections);
    let (_peers, keys) = open(&mut user, address);
    assert_eq!(per_loop(&keys), [PEERS / LOOPS; LOOPS]);
}

#[test]
fn least_connections_refills_a_loop_whose_connections_closed() {
    let (mut user, address) = four_loops(Balance::LeastConnections);
    let (_peers, keys) = open(&mut user, address);
    let lost: Vec<_> = keys.iter().filter(|key| key.lane == 2).take(100).collect();
    for key in &lost {
        user.destroy(**key);
    }
    for key in lost {
        user.closed(*key);
    }
    let mut more = Vec::new();
    for _ in 0..100 {
        more.push(TcpStream::connect(address).unwrap());
        assert_eq!(user.opened().lane, 2);
    }
    more.push(TcpStream::connect(address).unwrap());
    user.opened();
    let counts: Vec<_> = user.group.loops().iter().map(|each| each.connections()).collect();
    assert_eq!(counts.iter().sum::<usize>(), PEERS + 1);
    assert_eq!(counts.iter().max().unwrap() - counts.iter().min().unwrap(), 1);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only 127.0.0.1 is there without being set up")]
fn source_hash_keeps_a_host_on_one_loop_and_uses_all_loops() {
    const HOSTS: u8 = 64;
    let (mut user, address) = four_loops(Balance::SourceHash);
    let mut peers = Vec::new();
    let mut loops: HashMap<IpAddr, usize> = HashMap::new();
    for _ in 0..5 {
        for host in 1..=HOSTS {
            peers.push(connect_from(host, address));
        }
        for _ in 1..=HOSTS {
            let (lane, remote) = user.find(|event| match event.what {
                What::Open { remote, .. } => Some((event.key.lane, remote.unwrap())),
                _ => None,
            });
            assert_eq!(*loops.entry(remote.ip()).or_insert(lane), lane, "{remote}");
        }
    }
    assert_eq!(loops.len(), usize::from(HOSTS));
    for lane in 0..LOOPS {
        assert!(loops.values().any(|each| *each == lane), "loop {lane} is not used");
    }
}

#[test]
fn a_single_loop_takes_all_connections_with_any_balance() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections, Balance::SourceHash] {
        for setup in Setup::ALL {
            let mut user = User::start(setup);
            let mut listen = Listen::new(Framing::Raw);
            listen.balance = balance;
            let address = user.listen(&listen);
            let peers: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
            peers.iter().for_each(|peer| _ = user.opened_by(peer));
        }
    }
}
