//! Connections that begin with a PROXY header.

use super::{Bench, PATIENCE, start};
use crate::accepting::testing::{LISTENER, listening};
use crate::accepting::{ListenOptions, ListenerCommand};
use crate::event_loop::Turn;
use crate::handoff::LoopCommand;
use crate::proxy::{Network, ProxyProtocol};
use millrace_ring::record::{address, kind, open};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const TEXT: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";

/// The same in version 2, with a field.
fn binary() -> Vec<u8> {
    let start = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10".as_slice();
    [start, &[192, 0, 2, 7, 198, 51, 100, 9, 0x12, 0x34, 1, 187], &[4, 0, 1, 0]].concat()
}

/// Listens for a server with so many connections at most, and trusts the network of this machine.
fn trusting(bench: &mut Bench, max: usize, timeout: Duration) -> std::net::SocketAddr {
    let trusted = vec![Network::new([127, 0, 0, 0].into(), 8).unwrap()];
    let proxy = Some(ProxyProtocol { trusted, trusts_unix: false, timeout });
    let address = bench.listen_with(ListenOptions { proxy, ..listening() }, max);
    bench.event_loop.work();
    address
}

/// Turns until so many headers were refused. Nothing was told meanwhile.
fn turn_until_refused(bench: &mut Bench, count: u64) {
    let mut turn = Turn { pending: true, next_deadline: None };
    while bench.counters().proxy_refused < count {
        turn = bench.event_loop.wait_and_turn(turn);
    }
    assert!(bench.take().is_empty());
}

/// The IPv4 addresses and ports of an `OPEN`.
fn addresses(payload: &[u8]) -> [([u8; 4], u16); 2] {
    [open::REMOTE, open::LOCAL].map(|start| {
        let at = |offset: u32| &payload[(start + offset) as usize..];
        let port = u16::from_ne_bytes(*at(address::PORT).first_chunk().unwrap());
        (*at(address::IP).first_chunk().unwrap(), port)
    })
}

#[test]
fn a_header_that_comes_byte_by_byte_is_read_before_anything_is_told() {
    for header in [TEXT.to_vec(), binary()] {
        let mut bench = start();
        let mut peer = TcpStream::connect(trusting(&mut bench, 0, PATIENCE)).unwrap();
        peer.set_nodelay(true).unwrap();
        let (last, first) = header.split_last().unwrap();
        for (at, byte) in first.iter().enumerate() {
            peer.write_all(&[*byte]).unwrap();
            while bench.counters().received <= at as u64 {
                bench.event_loop.turn(Some(PATIENCE));
            }
        }
        assert!(bench.take().is_empty());
        assert_eq!(bench.counters().opened, 0);
        peer.write_all(&[*last, b'd', b'a', b't', b'a']).unwrap();
        let records = loop {
            bench.event_loop.turn(Some(PATIENCE));
            let records = bench.take();
            if !records.is_empty() {
                break records;
            }
        };
        let (label, payload) = &records[0];
        assert_eq!(label.kind, kind::OPEN);
        let expected = [([192, 0, 2, 7], 0x1234), ([198, 51, 100, 9], 443)];
        assert_eq!(addresses(payload), expected);
        // What came behind it is told in the same turn.
        assert_eq!((records[1].0.kind, &records[1].1[..]), (kind::DATA, &b"data"[..]));
        assert_eq!(bench.counters().received, header.len() as u64 + 4);
    }
}

#[test]
fn a_connection_without_a_good_header_is_reset_and_gives_its_place_back() {
    let mut bench = start();
    let address = trusting(&mut bench, 1, PATIENCE);
    for (count, sent) in (1..).zip([&b"GET / HTTP/1.1\r\n"[..], b"PROXY TCP4 \r\n", b"PROXY ", b""])
    {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(sent).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        turn_until_refused(&mut bench, count);
        let error = peer.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(bench.event_loop.handle.connections(), 0);
    }
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(TEXT).unwrap();
    bench.turn_until(kind::OPEN);
    assert_eq!(bench.event_loop.handle.connections(), 1);
}

#[test]
fn a_header_that_does_not_come_in_time_is_not_awaited_any_longer() {
    let mut bench = start();
    let address = trusting(&mut bench, 0, Duration::from_millis(1));
    let mut peers = Vec::new();
    for sent in [TEXT.len() - 1, 0] {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(&TEXT[..sent]).unwrap();
        peers.push(peer);
    }
    turn_until_refused(&mut bench, 2);
    assert!(peers.iter_mut().all(|peer| peer.read(&mut [0]).is_err()));
}

#[test]
fn a_closing_listener_takes_the_headers_that_are_there_and_awaits_no_others() {
    let mut bench = start();
    let address = trusting(&mut bench, 0, PATIENCE);
    let silent = TcpStream::connect(address).unwrap();
    let mut prompt = TcpStream::connect(address).unwrap();
    prompt.write_all(&[TEXT, b"data"].concat()).unwrap();
    bench.command(LoopCommand::Listener(ListenerCommand::Close(LISTENER)));
    // It takes no events, so that the header is there and was not read.
    bench.event_loop.work();
    let kinds: Vec<_> = bench.take().iter().map(|(label, _)| label.kind).collect();
    assert_eq!(kinds[..2], [kind::OPEN, kind::DATA]);
    assert!(kinds.contains(&kind::LISTENER_CLOSED));
    assert_eq!(bench.counters().proxy_refused, 1);
    assert!({ silent }.read(&mut [0]).is_err());
}

#[test]
fn what_is_awaited_is_dropped_with_its_loop() {
    let mut bench = start();
    let mut peer = TcpStream::connect(trusting(&mut bench, 0, PATIENCE)).unwrap();
    peer.write_all(b"P").unwrap();
    while bench.counters().received == 0 {
        bench.event_loop.turn(Some(PATIENCE));
    }
    bench.event_loop.finish();
    // The end, or a reset.
    assert_eq!(peer.read(&mut [0]).unwrap_or(0), 0);
}
