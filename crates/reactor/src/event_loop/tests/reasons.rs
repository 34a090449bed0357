//! Why a connection ended: the first reason counts.

use super::{PATIENCE, start};
use millrace_ring::record::{Label, close, kind, reason, word};
use socket2::SockRef;
use std::io::{Error, ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn a_reset_that_the_loop_has_not_seen_is_told_though_ending_the_output_fails_for_another_reason() {
    let mut bench = start();
    let address = bench.listen();
    let peer = TcpStream::connect(address).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    bench.tell(whose, kind::END, b"");
    // The kernel is not asked for events.
    bench.event_loop.work();
    assert_eq!(closing(&bench.take()), Some(ErrorKind::ConnectionReset));
}

/// The system's error with which a connection closed, if that was told.
fn closing(records: &[(Label, Vec<u8>)]) -> Option<ErrorKind> {
    let (_, payload) = records.iter().find(|(label, _)| label.kind == kind::CLOSE)?;
    assert_eq!(word(payload, close::REASON), reason::SYSTEM);
    Some(Error::from_raw_os_error(word(payload, close::ERRNO) as i32).kind())
}

#[test]
fn a_reset_that_a_write_has_met_is_no_end_of_the_input() {
    let mut bench = start();
    let address = bench.listen();
    let mut peer = TcpStream::connect(address).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    // More than the kernel takes, and more than one connection may have in the ring.
    for _ in 0..60 {
        bench.tell(whose, kind::WRITE, &vec![7; 200 << 10]);
        bench.event_loop.work();
    }
    bench.tell(whose, kind::END, b"");
    peer.write_all(&vec![7; 400 << 10]).unwrap();
    for _ in 0..10 {
        bench.event_loop.turn(Some(Duration::ZERO));
    }
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it does not close");
        bench.event_loop.turn(Some(Duration::ZERO));
        let records = bench.take();
        assert!(records.iter().all(|(label, _)| label.kind != kind::EOF), "a FIN was told");
        if let Some(kind) = closing(&records) {
            assert_eq!(kind, ErrorKind::ConnectionReset);
            return;
        }
    }
}
