//! Connections that begin with a PROXY header: who is trusted, and what follows the header.

use crate::support::net::{connect, write_and_finish};
use crate::support::{Event, Key, Listen, Setup, User, What, frames};
use millrace_reactor::{Framing, LengthField, Network, ProxyProtocol};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

const HEADER: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 443\r\n";

/// Trusts that network.
fn trusting(framing: Framing, ip: [u8; 4], prefix: u8) -> Listen {
    let trusted = vec![Network::new(ip.into(), prefix).unwrap()];
    let timeout = Duration::from_secs(60);
    let proxy = Some(ProxyProtocol { trusted, trusts_unix: false, timeout });
    Listen { proxy, ..Listen::new(framing) }
}

/// The next connection that opens, and the peer's address that is told.
fn opened(user: &mut User) -> (Key, SocketAddr) {
    user.find(|event: &Event| match event.what {
        What::Open { remote: Some(remote), .. } => Some((event.key, remote)),
        _ => None,
    })
}

#[test]
fn what_follows_the_header_in_the_same_segment_is_delivered() {
    let little = false;
    let length = LengthField { bytes: 4, offset: 0, adjust: 0, strip: 4, little, max: 1 << 20 };
    for setup in Setup::ALL {
        for framing in [
            Framing::Raw,
            Framing::Line { max: 1 << 20 },
            Framing::Fixed { size: 3 },
            Framing::Length(length),
            Framing::varint(1 << 20),
        ] {
            let mut user = User::start(setup);
            let address = user.listen(&trusting(framing.clone(), [127, 0, 0, 1], 32));
            let mut bytes = HEADER.to_vec();
            for body in [b"one", b"two"] {
                frames::encode(&framing, body, &mut bytes);
            }
            let sent = bytes.len() - HEADER.len();
            let peer = connect(address);
            write_and_finish(&peer, &bytes);
            let (key, remote) = opened(&mut user);
            assert_eq!(remote, "[2001:db8::7]:4660".parse().unwrap());
            if framing.is_raw() {
                assert_eq!(user.data(key), b"onetwo");
            } else {
                for body in [b"one", b"two"] {
                    let frame = user.data(key);
                    assert_eq!(frames::decode(&framing, &frame), body);
                }
            }
            assert_eq!(user.eof(key), 0);
            user.close(key);
            // The user's count has nothing of the header.
            assert_eq!(user.closed(key).received, sent as u64);
        }
    }
}

#[test]
fn much_that_follows_the_header_is_delivered_whole() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&trusting(Framing::Raw, [127, 0, 0, 0], 8));
        let body: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        let bytes = [HEADER, &body].concat();
        let peer = connect(address);
        let sender = std::thread::spawn(move || write_and_finish(&peer, &bytes));
        let (key, _) = opened(&mut user);
        let mut received = Vec::new();
        while received.len() < body.len() {
            received.extend(user.data(key));
        }
        assert!(received == body);
        sender.join().unwrap();
    }
}

#[test]
fn nothing_is_expected_of_a_peer_that_is_not_trusted() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&trusting(Framing::Raw, [10, 0, 0, 0], 8));
        let mut peer = connect(address);
        // Told before a byte has come.
        let key = user.opened_by(&peer);
        peer.write_all(HEADER).unwrap();
        assert_eq!(user.data(key), HEADER);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn each_peer_is_judged_by_its_own_address() {
    use crate::support::net::{connect_from, read_exactly};
    for setup in [Setup::LARGE, Setup::LARGE_INLINE, Setup::threads(3)] {
        let mut user = User::start(setup);
        let address = user.listen(&trusting(Framing::Raw, [127, 0, 0, 2], 32));
        let mut stranger = connect(address);
        let key = user.opened_by(&stranger);
        stranger.write_all(HEADER).unwrap();
        assert_eq!(user.data(key), HEADER);
        let mut proxy = connect_from(2, address);
        proxy.write_all(HEADER).unwrap();
        let (key, remote) = opened(&mut user);
        assert_eq!(remote.port(), 4660);
        user.write(key, b"hello");
        user.settle(key);
        assert_eq!(read_exactly(&proxy, 5), b"hello");
    }
}

#[test]
fn refused_connections_free_their_places_for_those_that_wait() {
    for setup in [Setup::LARGE, Setup::LARGE_INLINE, Setup::threads(3)] {
        let mut user = User::start(setup);
        let listen = Listen { max: 2, ..trusting(Framing::Raw, [127, 0, 0, 1], 32) };
        let address = user.listen(&listen);
        // Two of them fill the server, and are silent.
        let silent = [connect(address), connect(address)];
        let mut peer = connect(address);
        peer.write_all(&[HEADER, b"x"].concat()).unwrap();
        for each in &silent {
            each.shutdown(Shutdown::Write).unwrap();
        }
        let (key, _) = opened(&mut user);
        assert_eq!(user.data(key), b"x");
        user.until(|user| {
            let refused = |at| user.lane(at).counters().proxy_refused;
            ((0..setup.threads.max(1)).map(refused).sum::<u64>() == 2).then_some(())
        });
        assert!(silent.iter().all(|mut each| each.read(&mut [0]).is_err()));
    }
}
