//! Limits in time of connections, over real sockets.

use crate::support::net::{connect, write_and_finish};
use crate::support::{Event, Key, Listen, Setup, User, What, frames};
use millrace_reactor::{Framing, Timeouts};
use millrace_ring::record::reason;
use std::hint;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Short, but long enough that a busy machine does not let a peer be late that is not.
const TIME: u32 = 150;
const LONG: u32 = 60_000;

fn limited(setup: Setup, framing: Framing, timeouts: Timeouts) -> (User, TcpStream, Key) {
    let mut listen = Listen::new(framing);
    listen.connection.timeouts = timeouts;
    User::with_peer(setup, &listen)
}

/// The reason that the connection closed with, and after how long.
fn closed_with(user: &mut User, key: Key, since: Instant) -> (u32, Duration) {
    let closed = user.closed(key);
    (closed.reason, since.elapsed())
}

/// The beginning of a frame of `frames::length`.
fn half_a_frame() -> Vec<u8> {
    let mut frame = Vec::new();
    frames::encode(&frames::length(1 << 20), b"a frame", &mut frame);
    frame.truncate(frame.len() - 3);
    frame
}

#[test]
fn a_time_that_ends_closes_with_its_own_reason_and_never_early() {
    let half = half_a_frame();
    for setup in Setup::ALL {
        let limits = Timeouts::default();
        for (timeouts, reason, begins) in [
            (Timeouts { first_message: TIME, ..limits }, reason::FIRST_MESSAGE_TIMEOUT, &half[..0]),
            (Timeouts { first_message: TIME, ..limits }, reason::FIRST_MESSAGE_TIMEOUT, &half),
            (Timeouts { frame: TIME, ..limits }, reason::FRAME_TIMEOUT, &half),
        ] {
            let since = Instant::now();
            let (mut user, mut peer, key) = limited(setup, frames::length(1 << 20), timeouts);
            peer.write_all(begins).unwrap();
            user.told(key, &What::Timeout(reason));
            user.answer_timeout(key, reason, 0);
            let (why, after) = closed_with(&mut user, key, since);
            assert_eq!(why, reason);
            assert!(after >= Duration::from_millis(TIME.into()), "{after:?}");
        }
    }
}

#[test]
fn silence_is_asked_about_and_the_answer_decides() {
    for setup in Setup::ALL {
        let limits = Timeouts::default();
        for (timeouts, reason) in [
            (Timeouts { idle: TIME, ..limits }, reason::IDLE_TIMEOUT),
            (Timeouts { receive: TIME, ..limits }, reason::RECEIVE_TIMEOUT),
        ] {
            let since = Instant::now();
            let (mut user, _peer, key) = limited(setup, Framing::Raw, timeouts);
            for times in 1..=2 {
                user.told(key, &What::Timeout(reason));
                assert!(since.elapsed() >= Duration::from_millis((TIME * times).into()));
                user.answer_timeout(key, reason, TIME);
            }
            user.told(key, &What::Timeout(reason));
            user.answer_timeout(key, reason, 0);
            assert_eq!(closed_with(&mut user, key, since).0, reason);
        }
    }
}

#[test]
fn a_time_that_a_byte_begins_again_lasts_to_its_last_millisecond() {
    const SHORT: u32 = 30;
    let time = Duration::from_millis(SHORT.into());
    for setup in Setup::ALL {
        for after in (0..40).map(|step| Duration::from_micros(50 * step)) {
            let timeouts = Timeouts { receive: SHORT, ..Timeouts::default() };
            let before = Instant::now();
            let (mut user, mut peer, key) = limited(setup, Framing::Raw, timeouts);
            let opened = Instant::now();
            while opened.elapsed() < after {
                hint::spin_loop();
            }
            let since = Instant::now();
            peer.write_all(b"a byte").unwrap();
            if before.elapsed() >= time {
                continue; // the machine was busy, and the byte may have come too late
            }
            user.told(key, &What::Timeout(reason::RECEIVE_TIMEOUT));
            assert!(since.elapsed() >= time, "{after:?}: {:?}", since.elapsed());
        }
    }
}

#[test]
fn output_that_nobody_reads_closes_after_the_write_time() {
    for setup in Setup::ALL {
        let timeouts = Timeouts { write: TIME, idle: LONG, ..Timeouts::default() };
        let (mut user, _peer, key) = limited(setup, Framing::Raw, timeouts);
        user.write(key, &vec![0; 24 << 20]);
        assert_eq!(user.closed(key).reason, reason::WRITE_TIMEOUT);
    }
}

#[test]
fn an_old_connection_delivers_what_came_and_then_ends_its_input() {
    for setup in Setup::ALL {
        let (mut user, mut peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        peer.write_all(b"hello").unwrap();
        assert_eq!(user.data(key), b"hello");
        let since = Instant::now();
        user.set_timeouts(key, Timeouts { max_lifetime: TIME, ..Timeouts::default() });
        user.told(key, &What::Eof(reason::MAX_LIFETIME));
        assert!(since.elapsed() >= Duration::from_millis(TIME.into()));
        user.close(key);
        write_and_finish(&peer, b"");
        assert_eq!(user.closed(key).reason, reason::NONE);
    }
}

#[test]
fn limits_can_be_set_while_the_connection_is_open() {
    for setup in Setup::ALL {
        let (mut user, _peer, key) = User::with_peer(setup, &Listen::new(Framing::Raw));
        user.set_timeouts(key, Timeouts { receive: TIME, ..Timeouts::default() });
        user.told(key, &What::Timeout(reason::RECEIVE_TIMEOUT));
        user.set_timeouts(key, Timeouts::default());
        user.answer_timeout(key, reason::RECEIVE_TIMEOUT, 0);
        user.settle(key);
        assert!(!user.has(|event: &Event| matches!(event.what, What::Close(_))));
    }
}

#[test]
fn times_stand_still_while_the_connection_is_paused() {
    for setup in Setup::ALL {
        let timeouts = Timeouts { receive: TIME, frame: TIME, ..Timeouts::default() };
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(frames::length(1 << 20)));
        let mut paused = connect(address);
        let key = user.opened();
        user.pause(key);
        user.set_timeouts(key, timeouts);
        paused.write_all(&half_a_frame()).unwrap();
        // Another connection with the same limits measures the time.
        let _other = connect(address);
        let other = user.opened();
        user.set_timeouts(other, timeouts);
        for _ in 0..3 {
            user.told(other, &What::Timeout(reason::RECEIVE_TIMEOUT));
            user.answer_timeout(other, reason::RECEIVE_TIMEOUT, TIME);
        }
        let is_about = |event: &Event| event.key == key;
        assert!(!user.has(is_about), "its time went on");
        user.resume(key);
        user.told(key, &What::Timeout(reason::FRAME_TIMEOUT));
    }
}
