//! Why a connection ended: the first reason counts.

use super::start;
use millrace_ring::record::{close, kind, reason};
use socket2::SockRef;
use std::io::{Error, ErrorKind};
use std::net::TcpStream;
use std::time::Duration;

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
    let records = bench.take();
    let (_, payload) = records.iter().find(|(label, _)| label.kind == kind::CLOSE).unwrap();
    let number = |at: u32| {
        let at = at as usize;
        u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap())
    };
    assert_eq!(number(close::REASON), reason::SYSTEM);
    let error = Error::from_raw_os_error(number(close::ERRNO) as i32);
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
