//! Streams are cut into frames of any size, however the bytes arrive.

use crate::support::net::{connect, read_all, read_exactly};
use crate::support::{Listen, Random, Setup, User, What, frames};
use millrace_reactor::Framing;
use millrace_ring::record::reason;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

/// Writes a stream in pieces of up to `longest` bytes, then FIN.
fn write_cut(mut peer: &TcpStream, mut stream: &[u8], longest: usize, mut random: Random) {
    while !stream.is_empty() {
        let (now, later) = stream.split_at((1 + random.below(longest)).min(stream.len()));
        peer.write_all(now).unwrap();
        stream = later;
    }
    peer.shutdown(Shutdown::Write).unwrap();
}

/// A peer that sends a stream and expects it back.
fn exchange(address: SocketAddr, stream: &[u8], cut: usize, seed: u64) {
    let peer = connect(address);
    thread::scope(|scope| {
        scope.spawn(|| write_cut(&peer, stream, cut, Random(seed)));
        assert!(read_all(&peer) == stream, "not what was sent");
    });
}

#[test]
fn frames_of_any_size_come_back_unchanged_however_the_stream_is_split() {
    for setup in Setup::ALL {
        let total = if setup.ring < 1 << 20 { 256 << 10 } else { 1 << 20 };
        for framing in frames::all(64 << 10, 1000) {
            let mut user = User::start(setup);
            let address = user.listen(&Listen::new(framing.clone()));
            // From mostly single bytes to many frames at once.
            let cuts = [(17, 20 << 10, 70), (1400, total, 64 << 10), (200 << 10, total, 900)];
            thread::scope(|scope| {
                for (seed, (cut, total, longest)) in cuts.into_iter().enumerate() {
                    let seed = seed as u64;
                    let stream = frames::stream(&framing, total, longest, &mut Random(seed));
                    scope.spawn(move || exchange(address, &stream, cut, seed));
                }
                let closed = user.echo(&framing, cuts.len());
                assert!(closed.iter().all(|(_, how)| how.reason == reason::NONE), "{closed:?}");
            });
        }
    }
}

#[test]
fn the_parts_of_large_frames_never_mix() {
    for setup in Setup::ALL {
        for framing in [frames::length(16 << 20), Framing::Line { max: 16 << 20 }] {
            let size = if setup.ring < 1 << 20 { 1 << 20 } else { 8 << 20 };
            let mut user = User::start(setup);
            let address = user.listen(&Listen::new(framing.clone()));
            let mut random = Random(5);
            thread::scope(|scope| {
                for _ in 0..2 {
                    let mut stream = Vec::new();
                    for length in [size, 0, 10, size / 3] {
                        let body = frames::body(&framing, length, &mut random);
                        frames::encode(&framing, &body, &mut stream);
                    }
                    scope.spawn(move || exchange(address, &stream, 300 << 10, 5));
                }
                user.echo(&framing, 2);
            });
        }
    }
}

#[test]
fn a_line_is_delivered_as_it_came() {
    let framing = Framing::Line { max: 3 };
    let mut user = User::start(Setup::LARGE);
    let address = user.listen(&Listen::new(framing));
    let mut peer = connect(address);
    peer.write_all(b"abc\r\n\r\n\nde\n").unwrap();
    let key = user.opened();
    for line in ["abc\r\n", "\r\n", "\n", "de\n"] {
        assert_eq!(user.data(key), line.as_bytes());
    }
}

/// The size of the process's address space in bytes.
#[cfg(target_os = "linux")]
fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn a_header_that_announces_a_gigabyte_reserves_no_memory() {
    const PEERS: usize = 16;
    for framing in [frames::length(1 << 30), Framing::varint(1 << 30)] {
        let mut user = User::start(Setup::LARGE);
        let address = user.listen(&Listen::new(framing.clone()));
        let mut announced = Vec::new();
        match framing {
            Framing::Varint(_) => announced.extend([0x80, 0x80, 0x80, 0x80, 4]),
            _ => announced.extend((1u32 << 30).to_be_bytes()),
        }
        announced.extend([7; 1000]);
        let before = address_space();
        let peers: Vec<_> = (0..PEERS).map(|_| connect(address)).collect();
        let keys: Vec<_> = peers.iter().map(|_| user.opened()).collect();
        for mut peer in &peers {
            peer.write_all(&announced).unwrap();
        }
        for key in keys {
            // Bytes that are counted have arrived.
            while user.lane(0).received(key.slot, key.generation) != Some(announced.len() as u64) {
                user.settle(key);
            }
        }
        let grown = address_space().saturating_sub(before);
        assert!(grown < 4 << 30, "{grown} bytes for {PEERS} announcements");
    }
}

#[test]
fn an_unfinished_frame_waits_while_others_are_served() {
    for setup in Setup::ALL {
        let framing = frames::length(1 << 20);
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(framing.clone()));
        let mut slow = connect(address);
        let slow_key = user.opened();
        slow.write_all(&[0, 0, 0, 3, b'a', b'b']).unwrap();
        user.settle(slow_key);
        let mut quick = connect(address);
        let key = user.opened();
        for _ in 0..10 {
            quick.write_all(&[0, 0, 0, 1, b'x']).unwrap();
            let body = user.data(key);
            user.reply(key, &framing, &body);
            user.settle(key);
            assert_eq!(read_exactly(&quick, 5), [0, 0, 0, 1, b'x']);
        }
        assert!(!user.has(|event| matches!(event.what, What::Data(_))));
        slow.write_all(b"c").unwrap();
        assert_eq!(user.data(slow_key), b"\0\0\0\x03abc");
    }
}
