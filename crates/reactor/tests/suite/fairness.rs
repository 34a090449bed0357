//! A busy connection does not delay the others.

use crate::support::net::{connect, read_exactly};
use crate::support::{Event, Key, Listen, Setup, User, What, frames};
use millrace_reactor::Framing;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn a_thousand_paused_connections_do_not_delay_an_active_one() {
    const PAUSED: usize = 1000;
    for setup in [Setup::LARGE, Setup::SMALL_INLINE] {
        let framing = frames::length(1 << 20);
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(framing.clone()));
        let mut paused = Vec::new();
        for _ in 0..PAUSED {
            let mut peer = connect(address);
            let key = user.opened();
            user.pause(key);
            peer.write_all(&[1; 2000]).unwrap();
            paused.push(peer);
        }
        let mut honest = connect(address);
        let key = user.opened();
        for _ in 0..200 {
            honest.write_all(&[0, 0, 0, 2, b'h', b'i']).unwrap();
            let frame = user.data(key);
            assert_eq!(frame, b"\0\0\0\x02hi");
            user.reply(key, &framing, &frame);
            user.settle(key);
            assert_eq!(read_exactly(&honest, 6), [0, 0, 0, 2, b'h', b'i']);
        }
    }
}

/// Whether the other side's kernel has acknowledged everything.
#[cfg(target_os = "linux")]
fn is_delivered(peer: &TcpStream) -> bool {
    let port = |address: std::net::SocketAddr| format!(":{:04X} ", address.port());
    let (local, remote) = (port(peer.local_addr().unwrap()), port(peer.peer_addr().unwrap()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // sl, local address, remote address, state, tx_queue:rx_queue
    table.lines().any(|line| {
        let at = |text: &str| line.find(text);
        at(&local).is_some_and(|one| at(&remote).is_some_and(|other| one < other))
            && line.contains(" 00000000:")
    })
}

#[cfg(not(target_os = "linux"))]
fn is_delivered(_: &TcpStream) -> bool {
    true
}

#[test]
fn flooding_connections_do_not_starve_a_quiet_one() {
    const LOUD: usize = 6;
    for setup in Setup::ALL {
        for framing in [Framing::Raw, Framing::Fixed { size: 64 }] {
            let mut user = User::start(setup);
            let address = user.listen(&Listen::new(framing));
            let is_over = AtomicBool::new(false);
            // Twice what each of the others may read at once, and what the ring holds.
            let bound = 2 * LOUD * (256 << 10) + 2 * setup.ring;
            let mut longest = 0;
            thread::scope(|scope| {
                for _ in 0..LOUD {
                    scope.spawn(|| {
                        let mut peer = connect(address);
                        while !is_over.load(Ordering::Acquire) {
                            peer.write_all(&[b'x'; 64 << 10]).unwrap();
                        }
                        peer.shutdown(Shutdown::Write).unwrap();
                    });
                }
                (0..LOUD).for_each(|_| _ = user.opened());
                let mut quiet = connect(address);
                let key = user.opened_by(&quiet);
                for _ in 0..5 {
                    // What is in the rings counts, and not what the user took before.
                    user.forget();
                    quiet.write_all(&[b'?'; 64]).unwrap();
                    // The loop is not responsible for how long the kernel takes to carry the bytes.
                    while !is_delivered(&quiet) {
                        thread::yield_now();
                    }
                    let mut waited = 0;
                    loop {
                        match user.next() {
                            event if event.key == key => break,
                            // Read and dropped.
                            Event { what: What::Data(bytes), .. } => waited += bytes.len(),
                            _ => {}
                        }
                    }
                    longest = longest.max(waited);
                }
                is_over.store(true, Ordering::Release);
                for _ in 0..LOUD {
                    let key = user.find(|event| match event.what {
                        What::Eof(_) => Some(event.key),
                        _ => None,
                    });
                    user.close(key);
                    user.closed(key);
                }
            });
            assert!(longest <= bound, "waited for {longest} bytes of others, {bound} are fair");
        }
    }
}

#[test]
fn a_peer_that_sends_tiny_frames_has_only_a_part_of_them_in_the_ring() {
    // The ring and what one socket may read at once have room for all of them.
    const FRAMES: usize = 30_000;
    const MOST: usize = 2048;
    let mut user = User::start(Setup::LARGE);
    let address = user.listen(&Listen::new(Framing::Fixed { size: 1 }));
    let mut loud = connect(address);
    let loud_key = user.opened();
    let mut quiet = connect(address);
    let key = user.opened_by(&quiet);
    assert_eq!(key.lane, loud_key.lane);
    loud.write_all(&[b'x'; FRAMES]).unwrap();
    let has_come = |user: &User, key: Key| {
        user.lane(key.lane).received(key.slot, key.generation).is_some_and(|count| count > 0)
    };
    while !has_come(&user, loud_key) {
        thread::yield_now();
    }
    quiet.write_all(b"?").unwrap();
    while !has_come(&user, key) {
        thread::yield_now();
    }
    let mut before = 0;
    while user.next().key != key {
        before += 1;
    }
    assert!((1..=MOST).contains(&before), "{before} frames of the other one came first");
    // All of them come in the end.
    for _ in before..FRAMES {
        assert_eq!(user.data(loud_key), b"x");
    }
}

#[test]
fn a_loop_does_not_spin_while_the_user_takes_nothing() {
    for ring in [4 << 10, 64 << 10] {
        for framing in [Framing::Raw, Framing::Fixed { size: 700 }, frames::length(1 << 20)] {
            let mut user = User::start(Setup { ring, threads: 2 });
            let address = user.listen(&Listen::new(framing.clone()));
            let stream = [0, 0, 2, 0].into_iter().chain([7; 512]).collect::<Vec<u8>>();
            let mut peers: Vec<_> = (0..2).map(|_| connect(address)).collect();
            let keys = [0, 1].map(|at: usize| user.opened_by(&peers[at]));
            assert_ne!(keys[0].lane, keys[1].lane);
            // One loop has more to read than its ring takes; the other is only a clock.
            let mut loud = &peers[0];
            loud.set_nonblocking(true).unwrap();
            while loud.write(&stream).is_ok() {}
            let (full, other) = (keys[0].lane, keys[1].lane);
            let mut ticks = |user: &mut User| {
                for _ in 0..20 {
                    let before = user.lane(other).counters().received;
                    peers[1].write_all(&stream).unwrap();
                    while user.lane(other).counters().received == before {
                        thread::yield_now();
                    }
                    user.take_from(other);
                }
            };
            for _ in 0..50 {
                // This may leave the loop anywhere in the ring.
                user.take_from(full);
                ticks(&mut user);
                let before = user.lane(full).counters().turns;
                ticks(&mut user);
                let turns = user.lane(full).counters().turns - before;
                // The peer's kernel may still push what it holds.
                assert!(turns < 10, "{turns} turns of a loop with nothing to do: {framing:?}");
            }
        }
    }
}
