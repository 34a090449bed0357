//! Ending a connection: everything written is sent first, and the peer loses none of it.

use crate::support::net::{read_all, write_and_finish};
use crate::support::{Listen, Random, Setup, User, What};
use millrace_reactor::Framing;
use millrace_ring::record::reason;
use std::io::Write;
use std::thread;
use std::time::Duration;

#[test]
fn ending_with_unread_input_does_not_reset_the_connection() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        let reply = Random(1).bytes(512 << 10);
        // The connection is not read, so a megabyte of input stays in the kernel.
        user.pause(key);
        user.settle(key);
        thread::scope(|scope| {
            scope.spawn(|| write_and_finish(&peer, &[b'x'; 1 << 20]));
            user.write(key, &reply);
            user.end(key);
            scope.spawn(|| assert!(read_all(&peer) == reply, "not the whole reply"));
            let closed = user.closed(key);
            assert_eq!((closed.reason, closed.sent), (reason::NONE, reply.len() as u64));
        });
        assert!(!user.has(|event| matches!(event.what, What::Data(_))));
    }
}

#[test]
fn nothing_is_delivered_or_sent_after_an_end() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.write(key, b"all");
        user.end(key);
        user.write(key, b"more");
        user.end(key);
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
        user.end(key);
        assert_eq!(user.closed(key).reason, reason::LINGER_TIMEOUT);
        assert_eq!(read_all(&peer), b"bye");
    }
}

#[test]
fn a_connection_whose_peer_does_not_read_is_closed_after_the_linger_time() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.linger = Duration::from_millis(30);
    for setup in Setup::ALL {
        for is_half_open in [false, true] {
            listen.connection.allow_half_open = is_half_open;
            let (mut user, peer, key) = User::with_peer(setup, &listen);
            // With half-open, the linger time starts once the peer has sent its FIN.
            write_and_finish(&peer, b"");
            user.eof(key);
            user.write(key, &[0; 40 << 20]);
            user.end(key);
            let closed = user.closed(key);
            assert_eq!(closed.reason, reason::LINGER_TIMEOUT);
            assert!(closed.sent < 40 << 20);
        }
    }
}

#[test]
fn a_half_open_connection_still_delivers_after_an_end() {
    let mut listen = Listen::new(Framing::Raw);
    listen.connection.allow_half_open = true;
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
        assert_eq!(user.closed(key).reason, reason::NONE);
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
        user.end(key);
        assert_eq!(user.closed(key).sent, 600);
        assert_eq!(read_all(&peer), b"answer".repeat(100));
    }
}
