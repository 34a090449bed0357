//! A bad stream costs its own connection, and nothing that came before in it.

use crate::support::net::{connect, read_all, read_exactly, write_and_finish};
use crate::support::{Key, Listen, Setup, User, What, frames};
use millrace_reactor::{Framing, LengthField};
use millrace_ring::record::reason;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Two frames, then something that is not a frame.
struct Bad {
    framing: Framing,
    good: Vec<u8>,
    bad: Vec<u8>,
    why: u32,
}

fn bad(framing: Framing, bad: &[u8], why: u32) -> Bad {
    let mut good = Vec::new();
    for body in [b"one", b"two"] {
        frames::encode(&framing, body, &mut good);
    }
    Bad { framing, good, bad: bad.to_vec(), why }
}

fn field(bytes: u8, adjust: i32) -> Framing {
    let little = false;
    let header = u32::from(bytes);
    Framing::Length(LengthField { bytes, offset: 0, adjust, strip: header, little, max: 8 })
}

fn bad_streams() -> Vec<Bad> {
    let delimiter = || Framing::Delimiter { bytes: (*b"END").into(), max: 8 };
    vec![
        bad(Framing::Line { max: 8 }, b"123456789\n", reason::FRAME_TOO_LARGE),
        bad(Framing::Line { max: 8 }, b"1234567890", reason::FRAME_TOO_LARGE),
        bad(delimiter(), b"123456789END", reason::FRAME_TOO_LARGE),
        bad(delimiter(), b"12345678901", reason::FRAME_TOO_LARGE),
        // The header alone is enough.
        bad(field(4, 0), &[0, 0, 0, 9], reason::FRAME_TOO_LARGE),
        bad(Framing::varint(8), &[9], reason::FRAME_TOO_LARGE),
        bad(Framing::varint(8), &[0xff, 0xff, 0xff, 0xff, 0x7f], reason::FRAME_TOO_LARGE),
        bad(Framing::varint(8), &[0x80, 0x80, 0x80, 0x80, 0x80], reason::FRAME_INVALID),
    ]
}

#[test]
fn a_bad_frame_ends_its_connection_after_replies_to_earlier_frames() {
    for setup in Setup::ALL {
        for Bad { framing, good, bad, why } in bad_streams() {
            let mut user = User::start(setup);
            let address = user.listen(&Listen::new(framing.clone()));
            let mut other = connect(address);
            let other_key = user.opened();
            let mut peer = connect(address);
            let key = user.opened();
            // What follows is read and dropped, because a reset would cost the peer its replies.
            peer.write_all(&[&good[..], &bad, &[b'x'; 100_000]].concat()).unwrap();
            for expected in [b"one", b"two"] {
                let frame = user.data(key);
                assert_eq!(frames::decode(&framing, &frame), expected);
                user.reply(key, &framing, &frame);
            }
            assert_eq!(user.eof(key), why, "{framing:?} {bad:?}");
            user.close(key);
            // Told at once, though the peer has not ended.
            assert_eq!(user.closed(key).reason, why);
            assert!(read_all(&peer) == good, "{framing:?}: not all replies");
            other.write_all(&good).unwrap();
            assert_eq!(user.data(other_key), good[..good.len() / 2]);
            user.write_frame(other_key, &framing, b"one");
            user.settle(other_key);
            assert_eq!(read_exactly(&other, good.len() / 2), good[..good.len() / 2]);
        }
    }
}

#[test]
fn an_impossible_length_is_invalid() {
    let cases: [(Framing, &[u8]); 3] = [
        // A length that includes the field cannot be smaller than the field.
        (field(2, -2), &[0, 1]),
        (field(8, 0), &[0xff; 8]),
        (field(8, -8), &[0; 8]),
    ];
    for (framing, header) in cases {
        let (mut user, mut peer, key) =
            User::with_peer(Setup::LARGE, &Listen::new(framing.clone()));
        peer.write_all(header).unwrap();
        assert_eq!(user.eof(key), reason::FRAME_INVALID, "{framing:?}");
        user.close(key);
        assert_eq!(user.closed(key).reason, reason::FRAME_INVALID);
    }
}

#[test]
fn a_frame_cut_by_fin_is_incomplete() {
    for setup in Setup::ALL {
        for framing in frames::native(64, 3) {
            let (mut user, peer, key) = User::with_peer(setup, &Listen::new(framing.clone()));
            let mut stream = Vec::new();
            frames::encode(&framing, b"one", &mut stream);
            let whole = stream.len();
            frames::encode(&framing, b"two", &mut stream);
            write_and_finish(&peer, &stream[..stream.len() - 1]);
            let frame = user.data(key);
            assert_eq!(frames::decode(&framing, &frame), b"one");
            assert_eq!(user.eof(key), reason::FRAME_INCOMPLETE, "{framing:?}");
            user.reply(key, &framing, &frame);
            user.close(key);
            assert_eq!(user.closed(key).reason, reason::FRAME_INCOMPLETE);
            assert_eq!(read_all(&peer), stream[..whole]);
        }
    }
}

#[test]
fn a_connection_that_awaits_its_last_replies_tells_nothing_after_its_close() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(frames::length(8)));
        let mut peer = connect(address);
        let key = user.opened();
        peer.write_all(&[1; 100]).unwrap();
        user.eof(key);
        // The user may have asked before it saw the end. The ledger fails on an answer.
        user.close(key);
        user.closed(key);
        user.ask(key);
        user.flush(key);
        user.write(key, b"too late");
        let next = connect(address);
        let next_key = user.opened();
        user.settle(next_key);
        drop((peer, next));
        user.eof(next_key);
    }
}

/// Waits until so many sockets of the loop stay for last replies. `other` is any connection of that loop.
fn until_last_replies(user: &mut User, other: Key, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while user.lane(other.lane).last_replies() != count {
        assert!(Instant::now() < deadline, "not {count}");
        user.settle(other);
    }
}

/// A connection that was closed for a bad frame after `reply`, its peer, and another connection.
fn closed_for_a_bad_frame(setup: Setup, reply: &[u8]) -> (User, Key, TcpStream, Key, TcpStream) {
    let mut user = User::start(setup);
    let address = user.listen(&Listen::new(frames::length(8)));
    let other_peer = connect(address);
    let other = user.opened();
    let mut peer = connect(address);
    let key = user.opened();
    peer.write_all(&[1; 100]).unwrap();
    assert_eq!(user.eof(key), reason::FRAME_TOO_LARGE);
    user.write(key, reply);
    user.close(key);
    assert_eq!(user.closed(key).reason, reason::FRAME_TOO_LARGE);
    (user, key, peer, other, other_peer)
}

#[test]
fn a_connection_closed_for_a_bad_frame_takes_no_place_while_its_replies_arrive() {
    let mut listen = Listen::new(frames::length(8));
    listen.max = 1;
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&listen);
        let mut peer = connect(address);
        let key = user.opened();
        peer.write_all(&[1; 100]).unwrap();
        assert_eq!(user.eof(key), reason::FRAME_TOO_LARGE);
        user.write(key, b"an error");
        user.close(key);
        user.closed(key);
        // The server has one place.
        let _next = connect(address);
        let next_key = user.opened();
        assert_eq!(user.lane(key.lane).last_replies(), 1);
        assert_eq!(read_all(&peer), b"an error");
        drop(peer);
        until_last_replies(&mut user, next_key, 0);
    }
}

#[test]
fn a_socket_that_stays_for_last_replies_can_be_destroyed() {
    for setup in Setup::ALL {
        let (mut user, key, peer, other, _other) = closed_for_a_bad_frame(setup, b"an error");
        until_last_replies(&mut user, other, 1);
        user.destroy(key);
        user.settle(other);
        assert_eq!(user.lane(other.lane).last_replies(), 0);
        assert_eq!(read_all(&peer), b"an error");
    }
}

#[test]
fn a_socket_that_stays_for_last_replies_closes_when_its_peer_floods_it() {
    for setup in Setup::ALL {
        let (mut user, _, mut peer, other, _other) = closed_for_a_bad_frame(setup, b"an error");
        std::thread::scope(|scope| {
            scope.spawn(move || while peer.write_all(&[1; 10_000]).is_ok() {});
            until_last_replies(&mut user, other, 0);
        });
    }
}

#[test]
fn a_connection_without_replies_closes_at_once_after_a_bad_frame() {
    for setup in Setup::ALL {
        let (mut user, _, peer, other, _other) = closed_for_a_bad_frame(setup, b"");
        until_last_replies(&mut user, other, 0);
        assert_eq!(read_all(&peer), b"");
    }
}

#[test]
fn too_many_sockets_that_stay_for_last_replies_close_the_oldest() {
    let mut user = User::start(Setup::LARGE_INLINE);
    let address = user.listen(&Listen::new(frames::length(8)));
    let mut peers = Vec::new();
    for _ in 0..1030 {
        let mut peer = connect(address);
        let key = user.opened();
        peer.write_all(&[1; 100]).unwrap();
        user.eof(key);
        user.write(key, b"an error");
        user.close(key);
        user.closed(key);
        peers.push(peer);
    }
    assert!(user.lane(0).last_replies() <= 1024);
    // The oldest was closed long before its time; what it was sent is still there.
    assert_eq!(read_all(&peers[0]), b"an error");
}

#[test]
fn input_after_a_bad_frame_is_dropped() {
    let framing = Framing::varint(8);
    let (mut user, mut peer, key) = User::with_peer(Setup::LARGE, &Listen::new(framing));
    peer.write_all(&[1, b'a', 100, 1, b'b', 1, b'c']).unwrap();
    assert_eq!(user.data(key), b"\x01a");
    assert_eq!(user.eof(key), reason::FRAME_TOO_LARGE);
    peer.write_all(&[1, b'd']).unwrap();
    user.settle(key);
    assert!(!user.has(|event| matches!(event.what, What::Data(_))));
}
