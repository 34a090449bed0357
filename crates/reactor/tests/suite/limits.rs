//! A bad stream costs its own connection, and nothing that came before in it.

use crate::support::net::{connect, read_all, read_exactly, write_and_finish};
use crate::support::{Listen, Setup, User, What, frames};
use millrace_reactor::{Framing, LengthField};
use millrace_ring::record::reason;
use std::io::{Read, Write};
use std::time::Duration;

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
        bad(Framing::Varint { max: 8 }, &[9], reason::FRAME_TOO_LARGE),
        bad(Framing::Varint { max: 8 }, &[0xff, 0xff, 0xff, 0xff, 0x7f], reason::FRAME_TOO_LARGE),
        bad(Framing::Varint { max: 8 }, &[0x80, 0x80, 0x80, 0x80, 0x80], reason::FRAME_INVALID),
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
                let body = user.data(key);
                assert_eq!(body, expected);
                user.reply(key, &framing, &body);
            }
            assert_eq!(user.eof(key), why, "{framing:?} {bad:?}");
            user.close(key);
            // Told at once, though the peer has not ended.
            assert_eq!(user.closed(key).reason, why);
            assert!(read_all(&peer) == good, "{framing:?}: not all replies");
            other.write_all(&good).unwrap();
            assert_eq!(user.data(other_key), b"one");
            user.reply(other_key, &framing, b"one");
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
            let body = user.data(key);
            assert_eq!(body, b"one");
            assert_eq!(user.eof(key), reason::FRAME_INCOMPLETE, "{framing:?}");
            user.reply(key, &framing, &body);
            user.close(key);
            assert_eq!(user.closed(key).reason, reason::FRAME_INCOMPLETE);
            assert_eq!(read_all(&peer), stream[..whole]);
        }
    }
}

#[test]
fn a_lingering_connection_tells_nothing_after_its_close() {
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

#[test]
fn lingering_after_a_bad_frame_gives_its_place_back_when_it_ends() {
    let mut listen = Listen::new(frames::length(8));
    listen.connection.linger = Duration::from_millis(50);
    listen.max = 1;
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&listen);
        let mut peer = connect(address);
        let key = user.opened();
        peer.write_all(&[1; 100]).unwrap();
        assert_eq!(user.eof(key), reason::FRAME_TOO_LARGE);
        user.close(key);
        assert_eq!(user.closed(key).reason, reason::FRAME_TOO_LARGE);
        // The server has one place, which is free once the socket is closed.
        let _next = connect(address);
        user.opened();
        assert!(peer.read(&mut [0; 8]).is_ok_and(|count| count == 0));
    }
}

#[test]
fn input_after_a_bad_frame_is_dropped() {
    let framing = Framing::Varint { max: 8 };
    let (mut user, mut peer, key) = User::with_peer(Setup::LARGE, &Listen::new(framing));
    peer.write_all(&[1, b'a', 100, 1, b'b', 1, b'c']).unwrap();
    assert_eq!(user.data(key), b"a");
    assert_eq!(user.eof(key), reason::FRAME_TOO_LARGE);
    peer.write_all(&[1, b'd']).unwrap();
    user.settle(key);
    assert!(!user.has(|event| matches!(event.what, What::Data(_))));
}
