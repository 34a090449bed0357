//! Output that the peer does not read: who is told, who waits, and how much there can be.

use crate::support::net::{PATIENCE, connect, read_all, read_exactly, write_and_finish};
use crate::support::{Event, Key, Listen, Random, Setup, User, What, frames};
use millrace_reactor::Framing;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// More bytes than the kernel takes for a peer that does not read.
const FLOOD: usize = 24 << 20;

#[test]
fn an_ask_is_answered_if_the_kernel_took_everything_at_once() {
    for setup in Setup::ALL {
        let (mut user, _peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.ask(key);
        user.told(key, &What::Drain);
        for _ in 0..100 {
            user.write(key, b"hello");
            user.ask(key);
            user.told(key, &What::Drain);
        }
        user.settle(key);
        assert!(!user.has(|event| event.what == What::Drain), "one answer for each question");
    }
}

#[test]
fn drain_and_flushed_come_only_after_a_slow_peer_has_read() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        let peer = connect(address);
        let key = user.opened();
        let other = connect(address);
        let other_key = user.opened();
        user.write(key, &vec![0; FLOOD]);
        user.ask(key);
        user.flush(key);
        // Records are taken in order, so the answer to this comes after the answers to those.
        user.settle(other_key);
        let answers = |event: &Event| matches!(event.what, What::Drain | What::Flushed);
        assert!(!user.has(answers));
        let sent = user.lane(0).sent(key.slot, key.generation).unwrap();
        assert!((sent as usize) < FLOOD - (512 << 10));
        thread::scope(|scope| {
            scope.spawn(|| assert!(read_exactly(&peer, FLOOD).iter().all(|byte| *byte == 0)));
            user.told(key, &What::Drain);
            user.told(key, &What::Flushed);
            let sent = user.lane(0).sent(key.slot, key.generation).unwrap();
            assert_eq!(sent as usize, FLOOD);
        });
        drop(other);
    }
}

#[test]
fn a_paused_connection_still_sends() {
    for setup in Setup::ALL {
        let (mut user, peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.pause(key);
        user.write(key, &vec![0; FLOOD]);
        user.flush(key);
        thread::scope(|scope| {
            scope.spawn(|| read_exactly(&peer, FLOOD));
            user.told(key, &What::Flushed);
        });
    }
}

/// Writes all bytes to a non-blocking peer, and reports when the other side takes no more for a while. (With a
/// write timeout, Windows does not say how many bytes it took.)
fn write_until_stuck(mut peer: &TcpStream, mut bytes: &[u8], stuck: &AtomicBool) {
    let mut last = Instant::now();
    while !bytes.is_empty() {
        match peer.write(bytes) {
            Ok(count) => {
                bytes = &bytes[count..];
                last = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if last.elapsed() > Duration::from_millis(50) {
                    stuck.store(true, Ordering::Release);
                }
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    stuck.store(true, Ordering::Release);
    peer.shutdown(Shutdown::Write).unwrap();
}

/// Reads everything that arrives at a non-blocking peer.
fn read_without_blocking(mut peer: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match peer.read_to_end(&mut bytes) {
            Ok(_) => return bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_echo_to_a_peer_that_reads_late_is_complete_and_its_queue_is_limited() {
    for setup in Setup::ALL {
        let total = if setup.ring < 1 << 20 { 32 << 20 } else { 64 << 20 };
        let listen = Listen::new(Framing::Raw);
        let high_water = listen.connection.high_water;
        // The rings, what one connection may have in them, and one record above the mark.
        let bound = (high_water + 2 * setup.ring + 2 * (256 << 10)) as u64;
        let mut user = User::start(setup);
        let address = user.listen(&listen);
        let stream = Random(9).bytes(total);
        let stuck = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let peer = connect(address);
                peer.set_nonblocking(true).unwrap();
                thread::scope(|scope| {
                    scope.spawn(|| write_until_stuck(&peer, &stream, &stuck));
                    while !stuck.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    assert!(read_without_blocking(&peer) == stream, "not what was sent");
                });
            });
            let mut most = 0;
            user.echo_with(&Framing::Raw, 1, |user, event| {
                let Key { slot, generation, .. } = event.key;
                let sent = user.lane(0).sent(slot, generation);
                if let (Some(received), Some(sent)) =
                    (user.lane(0).received(slot, generation), sent)
                {
                    most = most.max(received.saturating_sub(u64::from(sent)));
                }
            });
            assert!(most <= bound, "{most} bytes were on their way, of {bound}");
        });
    }
}

#[test]
fn without_auto_pause_reading_goes_on_above_the_high_water_mark() {
    for setup in [Setup::LARGE, Setup::LARGE_INLINE] {
        let mut listen = Listen::new(Framing::Raw);
        listen.connection.auto_pause = false;
        listen.connection.high_water = 64 << 10;
        let (mut user, mut peer, key) = User::with_peer(setup, &listen);
        user.write(key, &vec![0; FLOOD]);
        peer.write_all(b"still there?").unwrap();
        assert_eq!(user.data(key), b"still there?");
    }
}

#[test]
fn auto_pause_ends_at_the_low_water_mark_and_loses_no_input() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        let mut peer = connect(address);
        let key = user.opened();
        let other = connect(address);
        let other_key = user.opened();
        user.write(key, &vec![0; FLOOD]);
        user.settle(other_key);
        peer.write_all(b"hello").unwrap();
        user.settle(other_key);
        assert!(!user.has(|event| matches!(event.what, What::Data(_))));
        thread::scope(|scope| {
            scope.spawn(|| read_exactly(&peer, FLOOD));
            assert_eq!(user.data(key), b"hello");
            // An inline loop has to be driven to send the rest.
            user.flush(key);
            user.told(key, &What::Flushed);
        });
        drop(other);
    }
}

#[test]
fn auto_pause_ends_and_an_ask_is_answered_once_what_they_are_about_is_sent_though_others_fill_the_queue()
 {
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.write(key, &vec![0; FLOOD]);
        user.ask(key);
        // It never falls to half of the mark, since more than the kernel takes stands behind the reply.
        user.push(key, &vec![0; FLOOD]);
        peer.write_all(b"hello").unwrap();
        thread::scope(|scope| {
            scope.spawn(|| read_exactly(&peer, FLOOD));
            user.told(key, &What::Drain);
            assert_eq!(user.data(key), b"hello");
        });
    }
}

#[test]
fn two_full_rings_do_not_deadlock() {
    const PEERS: usize = 4;
    for setup in Setup::ALL {
        let framing = frames::length(16 << 20);
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(framing.clone()));
        let mut random = Random(4);
        let size = if setup.ring < 1 << 20 { 1 << 20 } else { 8 << 20 };
        let body = frames::body(&framing, size, &mut random);
        let mut stream = Vec::new();
        frames::encode(&framing, &body, &mut stream);
        for length in [0, 1, 100, 3000, 3000, 70_000] {
            let body = frames::body(&framing, length, &mut random);
            frames::encode(&framing, &body, &mut stream);
        }
        thread::scope(|scope| {
            for _ in 0..PEERS {
                scope.spawn(|| {
                    let peer = connect(address);
                    thread::scope(|scope| {
                        scope.spawn(|| write_and_finish(&peer, &stream));
                        // The greeting, which is written while input comes in, and the echo.
                        let all = read_all(&peer);
                        assert!(all[4..4 + size] == body && all[4 + size..] == stream);
                    });
                });
            }
            let closed = user.echo_with(&framing, PEERS, |user, event| {
                if matches!(event.what, What::Open { .. }) {
                    user.write_frame(event.key, &framing, &body);
                }
            });
            let length = stream.len() as u64;
            assert!(closed.iter().all(|(_, how)| how.received == length));
        });
    }
}

#[test]
fn output_goes_on_while_the_user_takes_no_input() {
    for setup in Setup::ALL {
        for framing in [Framing::Raw, Framing::Fixed { size: 100 }] {
            let (mut user, peer, key) = User::with_peer(setup, &Listen::new(framing));
            thread::scope(|scope| {
                // More than the ring holds, and than one connection may have in it.
                let input = scope.spawn(|| write_and_finish(&peer, &vec![1; FLOOD]));
                scope.spawn(|| assert_eq!(read_exactly(&peer, FLOOD), vec![2; FLOOD]));
                user.write(key, &vec![2; FLOOD]);
                let is_sent =
                    |user: &User| user.lane(0).sent(key.slot, key.generation) == Some(FLOOD as u32);
                let start = Instant::now();
                while !is_sent(&user) {
                    assert!(start.elapsed() < PATIENCE, "the input holds the output back");
                    user.step();
                    thread::yield_now();
                }
                assert!(!input.is_finished());
                user.eof(key);
            });
        }
    }
}
