//! Stopping a group leaves nothing behind. Alone in its process, because it counts threads and descriptors.

#![cfg(target_os = "linux")]

#[expect(dead_code, unused_imports, reason = "shared with the suite, which uses more of it")]
mod support;

use millrace_reactor::Framing;
use std::time::{Duration, Instant};
use support::net::{connect, dial, full, read_all, tcp};
use support::{Listen, Setup, User};

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

fn counts() -> (usize, usize) {
    (count("task"), count("fd"))
}

/// The kernel wakes a thread that joins another before it removes the other from `/proc/self/task`, so a
/// joined thread may still be listed for a moment.
fn is_back_to(before: (usize, usize), what: &str) {
    let patience = Instant::now() + Duration::from_secs(30);
    while counts() != before {
        assert!(Instant::now() < patience, "{what}: {:?} for {before:?}", counts());
        std::thread::yield_now();
    }
}

/// Stops a group with open, paused, ending and unread connections in the given way.
fn stop(setup: Setup, stop: impl FnOnce(User)) {
    let mut user = User::start(setup);
    let address = user.listen(&Listen::new(Framing::Raw));
    let peers: Vec<_> = (0..40).map(|_| connect(address)).collect();
    // Dials that are never answered.
    let full = full();
    for number in 100..110 {
        user.connect(dial(number, tcp(full.address)));
    }
    let keys: Vec<_> = peers.iter().map(|peer| user.opened_by(peer)).collect();
    for four in keys.chunks(4) {
        user.pause(four[0]);
        user.close(four[1]);
        user.write(four[2], &vec![0; 1 << 20]);
    }
    for mut peer in &peers {
        // Some of them have no reader, or are closed by now.
        let _ = std::io::Write::write(&mut peer, &[0; 1000]);
    }
    // This is in the ring when the group stops, and is still sent.
    let last = *keys.last().unwrap();
    user.write(last, b"last words");
    stop(user);
    let peer = peers.last().unwrap();
    // The peer's data was not read, so a reset may follow, but not before these words.
    let mut words = [0; 10];
    std::io::Read::read_exact(&mut &*peer, &mut words).unwrap();
    assert_eq!(&words, b"last words");
}

#[test]
fn a_stopped_group_leaves_no_thread_and_no_descriptor() {
    let before = counts();
    for setup in [Setup::LARGE, Setup::SMALL, Setup::LARGE_INLINE, Setup::threads(4)] {
        for _ in 0..5 {
            stop(setup, |mut user| user.group.stop());
            is_back_to(before, &format!("{setup:?} stopped"));
            stop(setup, drop);
            is_back_to(before, &format!("{setup:?} dropped"));
            stop(setup, |mut user| {
                assert!(user.group.stop_within(Duration::from_secs(30)));
            });
            is_back_to(before, &format!("{setup:?} stopped in time"));
        }
    }
    // One loop died before the others were stopped.
    for setup in [Setup::LARGE, Setup::LARGE_INLINE, Setup::threads(4)] {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        let peer = connect(address);
        let key = user.opened();
        let full = full();
        for number in 100..110 {
            user.group.connect(Some(key.lane), dial(number, tcp(full.address)));
        }
        user.lane(key.lane).inject_panic();
        user.is_stirred = true;
        user.until(|user| (!user.lane(key.lane).is_alive()).then_some(()));
        read_all(&peer);
        drop((user, peer, full));
        is_back_to(before, &format!("{setup:?} after a panic"));
    }
    // A group without listeners and connections.
    for setup in Setup::ALL {
        drop(User::start(setup));
        is_back_to(before, "unused");
    }
}
