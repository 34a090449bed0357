//! Who owns the duplicate of a listening socket when the loop dies.

use super::{Bench, start};
use crate::accepting::ListenerCommand;
use crate::accepting::testing::LISTENER;
use crate::handoff::LoopCommand;
use std::net::{SocketAddr, TcpStream};

const TICKET: u32 = 5;

/// A loop that has answered with a duplicate and has not published the answer.
fn answered() -> (Bench, SocketAddr) {
    let mut bench = start();
    let address = bench.listen();
    bench.command(LoopCommand::Listener(ListenerCommand::Duplicate {
        id: LISTENER,
        ticket: TICKET,
    }));
    bench.event_loop.take_commands();
    bench.event_loop.tell();
    assert!(bench.event_loop.loop_notices.is_empty(), "it is in the ring");
    assert_eq!(bench.tickets(), [0; 0]);
    assert!(listens(address));
    (bench, address)
}

/// Whether the socket still listens, which it does while anybody has a descriptor of it.
fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_duplicate_that_was_not_told_is_closed_when_its_loop_dies() {
    let (mut bench, address) = answered();
    bench.event_loop.die();
    // The loop still exists, like an inline loop until its group stops.
    assert_eq!(bench.tickets(), [0; 0]);
    assert!(!listens(address));
}

#[test]
fn a_duplicate_that_was_told_stays_open_when_its_loop_dies() {
    let (mut bench, address) = answered();
    bench.event_loop.inbound.publish();
    assert_eq!(bench.tickets(), [TICKET]);
    bench.event_loop.die();
    drop(bench.event_loop);
    assert!(listens(address));
}
