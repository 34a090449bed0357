//! Datagram sockets.

use crate::support::user::Socket;
use crate::support::{Listen, Random, Setup, User, What, net};
use millrace_reactor::{DatagramOptions, DatagramSetting, Framing};
use millrace_ring::record::reason;
use millrace_sys::datagrams::{Outbox, Outgoing};
use socket2::SockRef;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// The largest datagram for the small rings, and so for all tests that run with both sizes.
const LARGEST: usize = 976;

fn options(number: u32) -> DatagramOptions {
    DatagramOptions {
        max: LARGEST as u32,
        high_water: 1 << 16,
        ..DatagramOptions::new(number, (Ipv4Addr::LOCALHOST, 0).into())
    }
}

/// What a peer receives after the socket's loop has sent all that it was given.
fn heard(user: &mut User, socket: &Socket, peer: &UdpSocket) -> Vec<u8> {
    // The answer to a question comes after what was sent before it.
    user.ask(socket.key);
    user.told(socket.key, &What::Drain);
    receive(peer)
}

/// A peer of the standard library. No test waits for ever.
fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 65536];
    let length = socket.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn every_datagram_comes_back_unchanged() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &options(1));
        let peers: Vec<_> = (0..8).map(|_| peer()).collect();
        let mut random = Random(1);
        for _ in 0..200 {
            for (peer, address) in &peers {
                let size = random.below(LARGEST + 1);
                let bytes = random.bytes(size);
                peer.send_to(&bytes, socket.address).unwrap();
                let (from, got) = user.datagram(socket.key);
                assert_eq!((from, &got), (*address, &bytes), "{setup:?}");
                user.send_to(socket.key, Some(from), &got);
                assert_eq!(heard(&mut user, &socket, peer), bytes, "{setup:?}");
            }
        }
        let counts = socket.handle.counts();
        assert_eq!((counts.received, counts.sent, counts.errors), (1600, 1600, 0));
        assert_eq!(counts.bytes_read, counts.bytes_written);
        assert_eq!(socket.handle.done(), counts.bytes_written + 64 * counts.sent);
    }
}

#[test]
fn datagrams_that_exceed_the_ring_arrive_in_order_as_the_user_takes_them() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let large = DatagramSetting::ReceiveBuffer(4 << 20);
        let socket = user.bind(0, &DatagramOptions { settings: vec![large], ..options(1) });
        let (peer, _) = peer();
        // Far more than the small ring holds, and nobody takes any of it meanwhile.
        for at in 0..150u32 {
            let mut bytes = vec![0; 600];
            bytes[..4].copy_from_slice(&at.to_ne_bytes());
            peer.send_to(&bytes, socket.address).unwrap();
        }
        for at in 0..150u32 {
            let (_, bytes) = user.datagram(socket.key);
            assert_eq!(bytes[..4], at.to_ne_bytes(), "{setup:?}");
        }
    }
}

/// Consecutive datagrams of one size leave a sender in one piece, and arrive in one if the system can.
#[test]
fn trains_of_several_senders_arrive_as_single_datagrams() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let large = DatagramSetting::ReceiveBuffer(4 << 20);
        let socket = user.bind(0, &DatagramOptions { settings: vec![large], ..options(1) });
        let peers: Vec<_> = (0..3).map(|_| peer()).collect();
        let mut outbox = Outbox::new();
        let mut random = Random(3);
        for round in 0..60 {
            let mut wanted = vec![Vec::new(); peers.len()];
            for _ in 0..5 {
                let at = random.below(peers.len());
                let size = [1, 33, 64, LARGEST, LARGEST - 1][random.below(5)];
                let count = random.below(40);
                let mut payloads: Vec<_> = (0..count).map(|_| random.bytes(size)).collect();
                // A shorter last datagram, an empty one, or several of them in between.
                let last = random.below(size + 1);
                payloads.push(random.bytes(last));
                payloads.extend((0..count / 8).map(|_| {
                    let size = random.below(LARGEST);
                    random.bytes(size)
                }));
                let to = Some(socket.address);
                let all: Vec<_> =
                    payloads.iter().map(|bytes| Outgoing { to, source: None, bytes }).collect();
                let mut sent = 0;
                while sent < all.len() {
                    sent += outbox.send(&SockRef::from(&peers[at].0), &all[sent..]).unwrap();
                }
                wanted[at].extend(payloads);
            }
            let total: usize = wanted.iter().map(Vec::len).sum();
            let mut seen = vec![Vec::new(); peers.len()];
            for _ in 0..total {
                let (from, bytes) = user.datagram(socket.key);
                let at = peers.iter().position(|(_, address)| *address == from).unwrap();
                seen[at].push(bytes);
            }
            assert!(seen == wanted, "{setup:?}, round {round}");
        }
        assert_eq!(socket.handle.counts().truncated, 0);
    }
}

#[test]
fn a_datagram_that_is_too_long_is_cut_and_flagged() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &DatagramOptions { max: 10, ..options(1) });
        let (peer, _) = peer();
        for length in [10, 11] {
            peer.send_to(&vec![1; length], socket.address).unwrap();
        }
        for wanted in [false, true] {
            let (length, is_truncated) = user.find(|event| match &event.what {
                What::Datagram { bytes, is_truncated, .. } => Some((bytes.len(), *is_truncated)),
                _ => None,
            });
            assert_eq!((length, is_truncated), (10, wanted), "{setup:?}");
        }
        assert_eq!(socket.handle.counts().truncated, 1);
    }
}

#[test]
fn send_errors_are_reported_together_and_close_nothing() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &options(1));
        let (peer, address) = peer();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        for _ in 0..100 {
            user.send_to(socket.key, Some(nowhere), b"lost");
        }
        user.send_to(socket.key, Some(address), b"fine");
        assert_eq!(heard(&mut user, &socket, &peer), b"fine");
        let mut told = 0;
        while told < 100 {
            told += user.find(|event| match event.what {
                What::Trouble { count, is_receiving: false, .. } => Some(count),
                _ => None,
            });
        }
        assert_eq!(told, 100, "{setup:?}");
        assert_eq!(socket.handle.counts().errors, 100);
        assert_eq!(socket.handle.done(), 101 * 68, "what is given up is done with too");
    }
}

#[test]
fn a_paused_socket_passes_nothing_on_until_it_is_resumed() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &options(1));
        let other = user.bind(0, &options(2));
        let (peer, _) = peer();
        user.pause(socket.key);
        // The answer to a question comes after the pause was taken.
        user.ask(socket.key);
        user.told(socket.key, &What::Drain);
        peer.send_to(b"later", socket.address).unwrap();
        for _ in 0..50 {
            peer.send_to(b"now", other.address).unwrap();
            assert_eq!(user.datagram(other.key).1, b"now");
        }
        let is_his = |event: &crate::support::Event| {
            event.key == socket.key && matches!(event.what, What::Datagram { .. })
        };
        assert!(!user.has(is_his), "{setup:?}");
        user.resume(socket.key);
        assert_eq!(user.datagram(socket.key).1, b"later");
    }
}

#[test]
fn datagrams_written_before_the_end_are_sent_and_the_close_is_told_last() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &options(1));
        let (peer, address) = peer();
        for at in 0..20u8 {
            user.send_to(socket.key, Some(address), &[at]);
        }
        user.end(socket.key);
        let closed = user.closed(socket.key);
        assert_eq!((closed.reason, closed.sent), (reason::NONE, 20), "{setup:?}");
        for at in 0..20u8 {
            assert_eq!(receive(&peer), [at]);
        }
        assert!(!socket.handle.set(&DatagramSetting::Ttl(9)).unwrap(), "it is gone");
        // The port is free again, and the slot belongs to another socket.
        let again = user.bind(0, &DatagramOptions { address: socket.address, ..options(2) });
        assert_ne!(again.key, socket.key);
        // A late record finds no socket.
        user.send_to(socket.key, Some(address), b"late");
        user.send_to(again.key, Some(address), b"in time");
        assert_eq!(heard(&mut user, &again, &peer), b"in time");
    }
}

#[test]
fn a_connected_socket_survives_an_absent_peer() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (gone, address) = peer();
        drop(gone);
        let socket = user.bind(0, &DatagramOptions { peer: Some(address), ..options(1) });
        user.send_to(socket.key, None, b"anybody?");
        user.find(|event| matches!(event.what, What::Trouble { .. }).then_some(()));
        let somebody = UdpSocket::bind(address).unwrap();
        somebody.set_read_timeout(Some(net::PATIENCE)).unwrap();
        user.send_to(socket.key, None, b"now?");
        assert_eq!(heard(&mut user, &socket, &somebody), b"now?", "{setup:?}");
        let (stranger, _) = peer();
        stranger.send_to(b"not for you", socket.address).unwrap();
        somebody.send_to(b"yes", socket.address).unwrap();
        assert_eq!(user.datagram(socket.key), (address, b"yes".to_vec()));
    }
}

#[test]
fn a_datagram_flood_does_not_starve_streams() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        let socket = user.bind(0, &options(1));
        let stream = net::connect(address);
        let key = user.opened();
        let (peer, _) = peer();
        for round in 0..50u8 {
            for _ in 0..100 {
                // The kernel drops what it has no room for.
                let _ = peer.send_to(&[0; 500], socket.address);
            }
            std::io::Write::write_all(&mut &stream, &[round]).unwrap();
            assert_eq!(user.data(key), [round], "{setup:?}");
            user.write(key, &[round]);
            user.settle(key);
            assert_eq!(net::read_exactly(&stream, 1), [round], "{setup:?}");
            user.forget();
        }
        assert!(socket.handle.counts().received > 0);
    }
}

#[test]
fn every_loop_has_a_socket_on_the_same_port() {
    if cfg!(not(any(target_os = "linux", target_os = "freebsd"))) {
        return;
    }
    let mut user = User::start(Setup::threads(3));
    let first = user.bind(0, &DatagramOptions { reuse_port: true, ..options(1) });
    for lane in 1..3 {
        let address = first.address;
        let number = lane as u32 + 1;
        user.bind(lane, &DatagramOptions { address, reuse_port: true, ..options(number) });
    }
    let mut lanes = std::collections::HashSet::new();
    for round in 0..100u8 {
        let (peer, address) = peer();
        peer.send_to(&[round], first.address).unwrap();
        let (key, from) = user.find(|event| match &event.what {
            What::Datagram { from: Some(from), .. } => Some((event.key, *from)),
            _ => None,
        });
        assert_eq!(from, address);
        user.send_to(key, Some(from), &[round]);
        assert_eq!(receive(&peer), [round]);
        lanes.insert(key.lane);
    }
    // It will practically never happen that all of a hundred peers come to one of three loops.
    assert!(lanes.len() > 1);
}
