//! Ending a connection: everything written is sent first, and the peer loses none of it.

use crate::support::net::{read_all, read_exactly, write_and_finish};
use crate::support::{Listen, Random, Setup, User, What};
use millrace_reactor::Framing;
use millrace_ring::record::reason;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

#[test]
fn closing_with_unread_input_does_not_reset_the_connection() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        let reply = Random(1).bytes(512 << 10);
        // The connection is not read, so a megabyte of input stays in the kernel.
        user.pause(key);
        user.settle(key);
        thread::scope(|scope| {
            scope.spawn(|| write_and_finish(&peer, &[b'x'; 1 << 20]));
            user.write(key, &reply);
            user.close(key);
            scope.spawn(|| assert!(read_all(&peer) == reply, "not the whole reply"));
            let closed = user.closed(key);
            assert_eq!((closed.reason, closed.sent), (reason::NONE, reply.len() as u64));
        });
        assert!(!user.has(|event| matches!(event.what, What::Data(_))));
    }
}

#[test]
fn nothing_is_delivered_or_sent_after_a_close() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.write(key, b"all");
        user.close(key);
        user.write(key, b"more");
        user.close(key);
        user.settle(key);
        assert_eq!(read_all(&peer), b"all");
        write_and_finish(&peer, b"still talking");
        let closed = user.closed(key);
        assert_eq!((closed.reason, closed.received, closed.sent), (reason::NONE, 13, 3));
        assert!(!user.has(|event| matches!(event.what, What::Data(_) | What::Eof(_))));
    }
}

#[test]
fn a_connection_whose_peer_does_not_end_is_closed_after_the_linger_time() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_millis(30);
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &listen);
        user.write(key, b"bye");
        user.close(key);
        assert_eq!(user.closed(key).reason, reason::LINGER_TIMEOUT);
        assert_eq!(read_all(&peer), b"bye");
    }
}

#[test]
fn a_connection_whose_peer_does_not_read_is_closed_after_the_linger_time() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_millis(30);
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &listen);
        write_and_finish(&peer, b"");
        user.eof(key);
        user.write(key, &[0; 40 << 20]);
        user.close(key);
        let closed = user.closed(key);
        assert_eq!(closed.reason, reason::LINGER_TIMEOUT);
        assert!(closed.sent < 40 << 20);
    }
}

#[test]
fn input_is_delivered_after_an_end_until_the_peer_ends_and_the_user_is_done() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_millis(1);
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &listen);
        user.write(key, b"that was all");
        user.end(key);
        user.settle(key);
        assert_eq!(read_all(&peer), b"that was all");
        for _ in 0..10 {
            peer.write_all(b"not from here").unwrap();
            assert_eq!(user.data(key), b"not from here");
        }
        write_and_finish(&peer, b"");
        assert_eq!(user.eof(key), reason::NONE);
        // Both halves have ended, and the user may still be at work on what it got.
        user.settle(key);
        assert!(!user.has(|event| matches!(event.what, What::Close(_))));
        user.discard(key);
        assert_eq!(user.closed(key).reason, reason::NONE);
    }
}

#[test]
fn closing_after_an_end_drops_the_input_from_there_on() {
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.end(key);
        peer.write_all(b"heard").unwrap();
        assert_eq!(user.data(key), b"heard");
        user.discard(key);
        user.settle(key);
        write_and_finish(&peer, b"not heard");
        assert_eq!(user.closed(key).received, 14);
        assert!(!user.has(|event| matches!(event.what, What::Data(_))));
    }
}

#[test]
fn input_alone_can_be_given_up() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.discard(key);
        user.settle(key);
        write_and_finish(&peer, &[b'x'; 1 << 20]);
        user.write(key, b"still talking");
        user.settle(key);
        assert_eq!(read_exactly(&peer, 13), b"still talking");
        user.end(key);
        assert_eq!(user.closed(key).received, 1 << 20);
    }
}

#[test]
fn a_slow_reader_gets_everything_after_a_close() {
    const ALL: usize = 4 << 20;
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_secs(3);
    for setup in [Setup::LARGE, Setup::SMALL_INLINE] {
        let (mut user, mut peer, key) = User::with_peer(setup, &listen);
        user.write(key, &vec![b'x'; ALL]);
        user.close(key);
        thread::scope(|scope| {
            scope.spawn(move || {
                // Far longer in all than the linger time, and never that long without a byte.
                let (mut left, mut piece) = (ALL, vec![0; ALL / 16]);
                while left > 0 {
                    peer.read_exact(&mut piece).unwrap();
                    left -= piece.len();
                    thread::sleep(Duration::from_millis(220));
                }
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
            });
            assert_eq!(user.closed(key).reason, reason::NONE);
        });
    }
}

#[test]
fn a_peer_that_goes_on_talking_after_our_end_is_bounded() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_millis(40);
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &listen);
        user.close(key);
        thread::scope(|scope| {
            scope.spawn(move || while peer.write_all(b"and another thing").is_ok() {});
            assert_eq!(user.closed(key).reason, reason::LINGER_TIMEOUT);
        });
    }
}

#[test]
fn a_reset_reaches_the_peer() {
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.reset(key);
        assert_eq!(user.closed(key).reason, reason::DESTROYED);
        let error = peer.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_user_may_write_long_after_the_peers_fin() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        write_and_finish(&peer, b"question");
        assert_eq!(user.data(key), b"question");
        user.eof(key);
        for _ in 0..100 {
            user.write(key, b"answer");
            user.settle(key);
        }
        user.close(key);
        assert_eq!(user.closed(key).sent, 600);
        assert_eq!(read_all(&peer), b"answer".repeat(100));
    }
}
