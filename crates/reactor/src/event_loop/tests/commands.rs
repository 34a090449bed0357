//! How many commands one turn takes from each queue.

use super::start;
use crate::event_loop::EventLoop;
use crate::event_loop::commands::COMMANDS;
use crate::handoff::{LoopCommand, SocketOptionCommand};
use millrace_ring::record::kind;
use millrace_sys::SocketOption;
use std::net::TcpStream;

/// More than two turns take.
const MANY: u32 = 600;

/// A question that is answered with its ticket in the turn that takes it.
fn question(ticket: u32) -> LoopCommand {
    let what = SocketOptionCommand::Get(SocketOption::NoDelay);
    LoopCommand::SocketOption { slot: 9, generation: 0, what, ticket }
}

/// A loop with a connection finds many questions at once in one of its queues.
fn takes_a_bounded_part_each_turn(
    push: impl Fn(&EventLoop, LoopCommand),
    left: impl Fn(&EventLoop) -> usize,
) {
    let mut bench = start();
    let _peer = TcpStream::connect(bench.listen()).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    (0..MANY).for_each(|ticket| push(&bench.event_loop, question(ticket)));
    let (mut turns, mut tickets) = (0, Vec::new());
    while tickets.len() < MANY as usize {
        assert!(bench.event_loop.rest(), "it sleeps, and {} wait", left(&bench.event_loop));
        bench.tell(whose, kind::WRITE, b"x");
        bench.event_loop.work();
        turns += 1;
        let answered = bench.tickets();
        assert!(answered.len() <= COMMANDS, "{} in one turn", answered.len());
        assert_eq!(bench.counters().sent, turns, "the connection was not served");
        tickets.extend(answered);
        assert_eq!(left(&bench.event_loop), MANY as usize - tickets.len());
    }
    assert!(tickets.into_iter().eq(0..MANY));
}

#[test]
fn a_turn_takes_a_limited_number_of_commands_and_serves_connections_in_between() {
    takes_a_bounded_part_each_turn(
        |event_loop, item| event_loop.handle.command(item),
        |event_loop| event_loop.handle.0.commands.len(),
    );
}

#[test]
fn a_turn_takes_a_limited_number_of_commands_from_the_acceptor() {
    takes_a_bounded_part_each_turn(
        |event_loop, item| event_loop.handle.0.handoff.push(item).unwrap(),
        |event_loop| event_loop.handle.0.handoff.len(),
    );
}
