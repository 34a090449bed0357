//! When a loop may sleep.

use super::start;
use crate::accepting::testing::listening;
use crate::accepting::{BoundListener, ListenerCommand};
use crate::balancing::Balance;
use crate::handoff::LoopCommand;
use crate::service::Service;
use std::net::TcpStream;

#[test]
fn a_loop_does_not_sleep_if_another_freed_a_place_after_it_had_looked() {
    let mut bench = start();
    let service = Service::new(Balance::RoundRobin, 1, false);
    let bound = BoundListener::new(listening(), &service).unwrap();
    let address = bound.local().inet().unwrap();
    let of_another = service.reserve().unwrap();
    bench.command(LoopCommand::Listener(ListenerCommand::Listen(bound)));
    let _peer = TcpStream::connect(address).unwrap();
    // The listener has no event yet, and is ready as every new one.
    let turn = bench.event_loop.work();
    assert!(!turn.pending && bench.counters().opened == 0);
    assert!(!bench.event_loop.rest(), "there is no place");
    bench.event_loop.turn(Some(std::time::Duration::ZERO));
    drop(of_another);
    assert!(bench.event_loop.rest(), "it sleeps beside a free place");
    bench.event_loop.work();
    assert_eq!(bench.counters().opened, 1);
}
