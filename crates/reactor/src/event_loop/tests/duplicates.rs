//! Whose a duplicate of a listening socket is, when its loop dies.

use super::{Bench, start};
use crate::handoff::{Handoff, Order};
use crate::testing::LISTENER;
use std::net::{SocketAddr, TcpStream};

const TICKET: u32 = 5;

/// A loop that has answered with a duplicate, and has not published that.
fn answered() -> (Bench, SocketAddr) {
    let mut bench = start();
    let address = bench.listen();
    bench.command(Handoff::Order(Order::Duplicate { id: LISTENER, ticket: TICKET }));
    bench.event_loop.take_handoff();
    bench.event_loop.tell();
    assert!(bench.event_loop.news.is_empty(), "it is in the ring");
    assert_eq!(bench.tickets(), [0; 0]);
    assert!(listens(address));
    (bench, address)
}

/// As long as anybody has a descriptor of the socket, it listens.
fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_duplicate_that_nobody_heard_of_is_closed_when_its_loop_dies() {
    let (mut bench, address) = answered();
    bench.event_loop.die();
    // The loop is still there, as an inline one is until its group stops.
    assert_eq!(bench.tickets(), [0; 0]);
    assert!(!listens(address));
}

#[test]
fn a_duplicate_that_was_told_of_is_its_users_when_its_loop_dies() {
    let (mut bench, address) = answered();
    bench.event_loop.io.publish();
    assert_eq!(bench.tickets(), [TICKET]);
    bench.event_loop.die();
    drop(bench.event_loop);
    assert!(listens(address));
}
