//! A loop turned by hand, for tests that have to know what one turn does.

mod answers;
mod awaited_headers;
mod budgets;
mod commands;
mod counts;
mod datagrams;
mod draining;
#[cfg(unix)]
mod duplicates;
#[cfg(loom)]
mod loom_crossing;
mod reasons;
mod sleeping;
#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
mod speculation;
mod stale;
mod starved;
mod unwatched;

use super::EventLoop;
use crate::accepting::testing::listening;
use crate::accepting::{BoundListener, ListenOptions, ListenerCommand};
use crate::balancing::Balance;
use crate::handoff::LoopCommand;
use crate::inbound::testing::Silent;
use crate::service::Service;
use crate::stats::LoopCounts;
use millrace_ring::record::{Label, kind, news, word};
use millrace_ring::{Consumer, Memory, Producer, pair};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A loop, and the far ends of its rings.
struct Bench {
    event_loop: EventLoop,
    inbound: Consumer,
    outbound: Producer,
}

fn start() -> Bench {
    let ring = || pair(Memory::leaked(1 << 20).unwrap());
    let ((near, inbound), (outbound, far)) = (ring(), ring());
    Bench { event_loop: EventLoop::new(near, far, Arc::new(Silent)).unwrap(), inbound, outbound }
}

impl Bench {
    /// Begins to listen in the next turn.
    fn listen(&mut self) -> SocketAddr {
        self.listen_with(listening(), 0)
    }

    /// Begins to listen in the next turn, for a server with so many connections at most; 0 is no limit.
    fn listen_with(&mut self, options: ListenOptions, max: usize) -> SocketAddr {
        let service = Service::new(Balance::RoundRobin, max, false);
        let bound = BoundListener::new(options, &service).unwrap();
        let address = bound.local().inet().unwrap();
        self.command(LoopCommand::Listener(ListenerCommand::Listen(bound)));
        address
    }

    fn command(&self, command: LoopCommand) {
        self.event_loop.handle.command(command);
    }

    /// Takes the records that are published.
    fn take(&mut self) -> Vec<(Label, Vec<u8>)> {
        let mut records = Vec::new();
        while let Some(record) = self.inbound.next() {
            records.push((record.label, record.payload.to_vec()));
        }
        self.inbound.release();
        records
    }

    /// Turns, waiting for the kernel, until a record of that kind is published. Returns its label.
    fn turn_until(&mut self, kind: u32) -> Label {
        let deadline = Instant::now() + PATIENCE;
        // The first turn takes what the loop was told, which does not wake it.
        let mut wait = Duration::ZERO;
        loop {
            if let Some((label, _)) = self.take().into_iter().find(|(label, _)| label.kind == kind)
            {
                return label;
            }
            assert!(Instant::now() < deadline, "nothing came");
            self.event_loop.turn(Some(wait));
            wait = PATIENCE;
        }
    }

    /// Tells the loop something, for its next turn.
    fn tell(&mut self, whose: Label, kind: u32, payload: &[u8]) {
        assert!(self.outbound.push(Label { kind, ..whose }, payload, 0));
        self.outbound.publish();
    }

    fn counters(&self) -> LoopCounts {
        self.event_loop.handle.counters()
    }

    /// The tickets of the answers that are published, in order.
    fn tickets(&mut self) -> Vec<u32> {
        let is_answer = |(label, _): &(Label, _)| label.kind == kind::ANSWER;
        let ticket = |(_, payload): (_, Vec<u8>)| word(&payload, news::NUMBER);
        self.take().into_iter().filter(is_answer).map(ticket).collect()
    }
}
