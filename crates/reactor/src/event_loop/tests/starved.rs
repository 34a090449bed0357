//! Connections whose output the kernel has no memory for.

use super::{Bench, PATIENCE, start};
use crate::event_loop::Turn;
use millrace_ring::record::{Label, kind};
use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

fn connected(bench: &mut Bench) -> (TcpStream, Label) {
    let address = bench.listen();
    bench.event_loop.work();
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    (peer, whose)
}

impl Bench {
    /// Lets the next writes of a connection fail for want of memory.
    fn starve(&mut self, whose: Label, times: u8) {
        let connection = self.event_loop.connections.find(whose.slot, whose.generation).unwrap();
        connection.transport.refusals = times;
    }

    fn refusals_left(&mut self, whose: Label) -> u8 {
        let connection = self.event_loop.connections.find(whose.slot, whose.generation);
        connection.map_or(0, |connection| connection.transport.refusals)
    }

    fn turn_until_tried(&mut self, whose: Label) {
        let deadline = Instant::now() + PATIENCE;
        let mut turn = Turn { pending: true, next_deadline: None };
        while self.refusals_left(whose) > 0 {
            assert!(Instant::now() < deadline, "it does not try again");
            turn = self.event_loop.wait_and_turn(turn);
        }
    }
}

#[test]
fn output_that_the_kernel_has_no_memory_for_waits_and_is_sent_in_order() {
    let mut bench = start();
    let (mut peer, whose) = connected(&mut bench);
    bench.starve(whose, 5);
    bench.tell(whose, kind::WRITE, b"first ");
    bench.event_loop.work();
    bench.tell(whose, kind::WRITE, b"second");
    bench.tell(whose, kind::END, b"");
    let before = bench.counters().turns;
    bench.turn_until_tried(whose);
    assert!(bench.counters().turns <= before + 20, "it tries without a pause");
    let deadline = Instant::now() + PATIENCE;
    let mut turn = Turn { pending: true, next_deadline: None };
    let mut got = Vec::new();
    peer.set_nonblocking(true).unwrap();
    // The FIN comes behind it.
    while peer.read_to_end(&mut got).is_err() {
        assert!(Instant::now() < deadline, "the rest does not come");
        if !turn.pending && turn.next_deadline.is_none() {
            std::thread::yield_now();
            continue;
        }
        turn = bench.event_loop.wait_and_turn(turn);
    }
    assert_eq!(got, b"first second");
    assert!(bench.take().iter().all(|(label, _)| label.kind != kind::CLOSE));
}

#[test]
fn a_connection_that_closes_while_it_waits_is_forgotten() {
    let mut bench = start();
    let (peer, whose) = connected(&mut bench);
    bench.starve(whose, 200);
    bench.tell(whose, kind::WRITE, b"lost");
    bench.event_loop.work();
    assert!(bench.event_loop.starved.next_retry().is_some());
    bench.tell(whose, kind::DESTROY, b"");
    bench.turn_until(kind::CLOSE);
    let deadline = Instant::now() + PATIENCE;
    while bench.event_loop.starved.next_retry().is_some() {
        assert!(Instant::now() < deadline, "it waits for nobody");
        let next_deadline = bench.event_loop.starved.next_retry();
        bench.event_loop.wait_and_turn(Turn { pending: false, next_deadline });
    }
    drop(peer);
}
