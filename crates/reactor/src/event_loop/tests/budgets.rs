//! What one turn does of much, and what it gives back in between.

use super::{PATIENCE, start};
use crate::inbound::BUDGET;
use millrace_ring::record::{Label, kind, slot};
use std::io::Read;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// How much of its queue a connection sends in one turn.
const AT_ONCE: u64 = 4 * BUDGET as u64;

#[test]
fn a_connection_with_much_to_send_sends_no_more_than_its_budget_in_one_turn() {
    let mut bench = start();
    let mut peer = TcpStream::connect(bench.listen()).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    // More than the kernel takes for a peer that does not read.
    for _ in 0..100 {
        bench.tell(whose, kind::WRITE, &vec![7; 200 << 10]);
        bench.event_loop.work();
    }
    while bench.event_loop.work().pending {}
    let before = bench.counters().sent;
    peer.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 1 << 20];
    while peer.read(&mut buffer).is_ok() {}
    // Now the kernel has room for more than a budget.
    let deadline = Instant::now() + PATIENCE;
    while bench.counters().sent == before {
        assert!(Instant::now() < deadline, "nothing is sent");
        bench.event_loop.turn(Some(PATIENCE));
    }
    let sent = bench.counters().sent - before;
    assert!(sent <= AT_ONCE, "{sent} bytes in one turn");
}

/// The loop stops in the middle, so that what it has given back by then can be seen.
#[test]
fn room_is_given_back_while_a_turn_takes_many_records() {
    const MANY: usize = 1000;
    let mut bench = start();
    let _peer = TcpStream::connect(bench.listen()).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    let nobody = Label { slot: slot::DATAGRAMS - 1, generation: 9, kind: kind::WRITE };
    for _ in 0..MANY {
        assert!(bench.outbound.push(nobody, b"x", 0));
    }
    let unknown = Label { kind: u32::MAX - 1, ..whose };
    assert!(bench.outbound.push(unknown, b"", 0));
    bench.outbound.publish();
    let before = bench.outbound.free();
    assert!(catch_unwind(AssertUnwindSafe(|| bench.event_loop.work())).is_err());
    assert!(bench.outbound.free() > before, "nothing is given back before the last record");
}
