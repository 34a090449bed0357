//! Connections that break.

use crate::support::net::{connect, reset};
use crate::support::{Key, Listen, Random, Setup, User, What};
use millrace_reactor::Framing;
use millrace_ring::record::reason;
use std::io::{Error, ErrorKind, Write};

fn kind_of(errno: i32) -> ErrorKind {
    Error::from_raw_os_error(errno).kind()
}

#[test]
fn a_reset_while_paused_closes_at_once() {
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.pause(key);
        user.settle(key);
        peer.write_all(b"unread").unwrap();
        reset(peer);
        let closed = user.closed(key);
        assert_eq!(closed.reason, reason::SYSTEM);
        assert_eq!(kind_of(closed.errno), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_reset_closes_a_connection_that_reads() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        reset(peer);
        let closed = user.closed(key);
        assert_eq!(kind_of(closed.errno), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_destroyed_connection_is_gone_at_once() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.destroy(key);
        user.destroy(key);
        assert_eq!(user.closed(key).reason, reason::DESTROYED);
        drop(peer);
    }
}

/// A connection that has sent 16 KiB into a small ring that nobody empties, and was then reset, so that
/// writes to it fail.
fn broken_with_input(user: &mut User, listen: &Listen, input: &[u8]) -> Key {
    let address = user.listen(listen);
    let mut peer = connect(address);
    let key = user.opened();
    peer.write_all(input).unwrap();
    // The ring is full once the loop has nothing more to do, because nothing was taken from it.
    let counted = |user: &User| user.lane(0).received(key.slot, key.generation);
    while counted(user).unwrap() < 1000 {
        user.step();
        std::thread::yield_now();
    }
    reset(peer);
    key
}

#[test]
fn data_received_before_a_failed_write_is_still_delivered() {
    for setup in [Setup::SMALL, Setup::SMALL_INLINE] {
        for framing in [Framing::Raw, Framing::Fixed { size: 128 }] {
            let mut user = User::start(setup);
            let input = Random(1).bytes(16 << 10);
            let key = broken_with_input(&mut user, &Listen::new(framing), &input);
            user.write(key, b"to nobody");
            // The write fails before there is room to read on. The loop must not report the bytes as
            // sent.
            user.flush(key);
            let mut received = Vec::new();
            let closed = loop {
                match user.next().what {
                    What::Data(bytes) => received.extend(bytes),
                    What::Close(closed) => break closed,
                    What::Eof(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert!(received == input, "{} of {} bytes", received.len(), input.len());
            assert_eq!(closed.reason, reason::SYSTEM);
            assert!(
                matches!(kind_of(closed.errno), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                "{closed:?}"
            );
        }
    }
}

#[test]
fn data_received_before_a_reset_is_delivered_though_the_connection_is_paused() {
    for setup in Setup::ALL {
        for framing in [Framing::Raw, Framing::Fixed { size: 128 }] {
            for writes in [false, true] {
                let listen = Listen::new(framing.clone());
                let (mut user, mut peer, key) = User::with_peer(setup, &listen);
                user.pause(key);
                user.settle(key);
                let input = Random(2).bytes(16 << 10);
                peer.write_all(&input).unwrap();
                reset(peer);
                if writes {
                    user.write(key, b"to nobody");
                }
                let mut received = Vec::new();
                let closed = loop {
                    match user.next().what {
                        What::Data(bytes) => received.extend(bytes),
                        What::Close(closed) => break closed,
                        other => panic!("{other:?}"),
                    }
                };
                assert!(received == input, "{} of {} bytes", received.len(), input.len());
                assert_eq!(kind_of(closed.errno), ErrorKind::ConnectionReset);
            }
        }
    }
}

#[test]
fn records_for_a_closed_connection_do_not_reach_its_successor() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        let mut old: Option<Key> = None;
        let mut slots = std::collections::HashSet::new();
        for _ in 0..50 {
            let mut peer = connect(address);
            let key = user.opened();
            if let Some(old) = old {
                assert_ne!(old, key);
                user.pause(old);
                user.write(old, b"for someone else");
                user.flush(old);
                user.ask(old);
                user.close(old);
                user.destroy(old);
            }
            peer.write_all(b"hello").unwrap();
            assert_eq!(user.data(key), b"hello");
            // Both sides close at once, so events for the connection may come after its end.
            user.destroy(key);
            drop(peer);
            assert_eq!(user.closed(key).sent, 0);
            old = Some(key);
            slots.insert(key.slot);
        }
        assert!(slots.len() < 50, "slots are used again");
    }
}

#[test]
fn a_reset_with_output_waiting_and_half_a_frame_received_is_told_as_the_reset() {
    for setup in Setup::ALL {
        for framing in [Framing::Line { max: 100 }, Framing::Fixed { size: 4 }] {
            let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(framing));
            peer.write_all(b"one\ntw").unwrap();
            user.data(key);
            // More than the kernel takes of a peer that reads nothing.
            user.write(key, &vec![7; 16 << 20]);
            reset(peer);
            let closed = user.closed(key);
            assert!(
                !user.has(|event| matches!(event.what, What::Eof(_))),
                "the peer ended nothing"
            );
            assert_eq!(closed.reason, reason::SYSTEM, "{closed:?}");
            assert_eq!(kind_of(closed.errno), ErrorKind::ConnectionReset);
        }
    }
}
