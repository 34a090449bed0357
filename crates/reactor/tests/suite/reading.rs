//! Input reaches the user, complete and in order, whatever comes with it and whenever it may be read.

use crate::support::net::{connect, read_all, write_and_finish};
use crate::support::{Listen, Random, Setup, User, What, frames};
use millrace_reactor::Framing;
use millrace_ring::record::reason;
use std::collections::HashSet;
use std::io::Write;

/// Connections at a time.
const PEERS: usize = 50;

fn data_and_fin_in_one_go(setup: Setup, framing: &Framing, is_paused: bool) {
    let mut user = User::start(setup);
    let address = user.listen(&Listen::new(framing.clone()));
    let mut random = Random(1);
    for _ in 0..200 / PEERS {
        let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
        let keys: Vec<_> = peers.iter().map(|_| user.opened()).collect();
        if is_paused {
            keys.iter().for_each(|key| user.pause(*key));
            user.settle(keys[PEERS - 1]);
        }
        let streams: Vec<_> = peers
            .iter()
            .map(|peer| {
                let stream = frames::stream(framing, 200, 64, &mut random);
                write_and_finish(peer, &stream);
                stream
            })
            .collect();
        if is_paused {
            user.settle(keys[0]);
            keys.iter().for_each(|key| user.resume(*key));
        }
        let closed = user.echo(framing, PEERS);
        for (peer, stream) in peers.iter().zip(&streams) {
            assert!(read_all(peer) == *stream, "{framing:?}: not what was sent");
        }
        let distinct: HashSet<_> = closed.iter().map(|(key, _)| *key).collect();
        assert_eq!(distinct, keys.into_iter().collect());
        assert!(closed.iter().all(|(_, how)| how.reason == reason::NONE), "{closed:?}");
        let lengths = |of: fn(&crate::support::Closed) -> u64| -> u64 {
            closed.iter().map(|(_, how)| of(how)).sum()
        };
        let length: u64 = streams.iter().map(|stream| stream.len() as u64).sum();
        assert_eq!((lengths(|c| c.received), lengths(|c| c.sent)), (length, length));
    }
    assert_eq!(user.ledger.open(), 0);
}

#[test]
fn data_with_a_fin_is_answered_and_the_connection_closes_once() {
    for setup in Setup::ALL {
        for framing in frames::all(1 << 10, 100) {
            data_and_fin_in_one_go(setup, &framing, false);
        }
    }
}

#[test]
fn data_with_a_fin_during_a_pause_is_answered_after_resume() {
    for setup in Setup::ALL {
        for framing in frames::all(1 << 10, 100) {
            data_and_fin_in_one_go(setup, &framing, true);
        }
    }
}

#[test]
fn input_that_came_during_a_pause_is_delivered_after_resume() {
    for setup in Setup::ALL {
        for framing in frames::all(1 << 10, 100) {
            let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(framing.clone()));
            let mut random = Random(2);
            for _ in 0..50 {
                let body = frames::body(&framing, 100, &mut random);
                let mut bytes = Vec::new();
                frames::encode(&framing, &body, &mut bytes);
                user.pause(key);
                user.settle(key);
                peer.write_all(&bytes).unwrap();
                user.settle(key);
                assert!(!user.has(|event| matches!(event.what, What::Data(_))), "{framing:?}");
                // No event comes after this, so readiness from the pause has to be remembered.
                user.resume(key);
                assert_eq!(user.data(key), bytes);
            }
        }
    }
}

#[test]
fn a_fin_during_a_pause_waits_for_resume_and_for_the_data_before_it() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.pause(key);
        user.settle(key);
        write_and_finish(&peer, b"last words");
        user.settle(key);
        let has_input = |what: &What| matches!(what, What::Data(_) | What::Eof(_) | What::Close(_));
        assert!(!user.has(|event| has_input(&event.what)));
        user.resume(key);
        assert_eq!(user.data(key), b"last words");
        assert_eq!(user.eof(key), reason::NONE);
        user.close(key);
        assert_eq!(user.closed(key).reason, reason::NONE);
    }
}

#[test]
fn random_pauses_neither_lose_nor_repeat_data() {
    for setup in Setup::ALL {
        let framing = Framing::varint(4 << 10);
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(framing.clone()));
        let mut random = Random(3);
        let stream = frames::stream(&framing, 1 << 20, 2 << 10, &mut random);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let peer = connect(address);
                std::thread::scope(|scope| {
                    scope.spawn(|| write_and_finish(&peer, &stream));
                    assert!(read_all(&peer) == stream);
                });
            });
            user.echo_with(&framing, 1, |user, event| {
                if matches!(event.what, What::Data(_)) {
                    user.pause(event.key);
                    if random.below(2) == 0 {
                        user.resume(event.key);
                        user.pause(event.key);
                    }
                    user.resume(event.key);
                }
            });
        });
    }
}
