//! One event loop as a state machine: each turn does what there is to do. A thread calls it, or Node's loop.
//!
//! `turn.rs` is the order of a turn. It calls `events.rs` (what the kernel says), `commands.rs` (what other
//! threads ask), `records.rs` (what the user wrote to the ring), `accepting.rs` and `connecting.rs` (where
//! connections come from), `awaited_headers.rs` (those that begin with a PROXY header), `scheduling.rs` (where a socket goes next), and `notices.rs` (what the user is
//! told). `socket_options.rs` answers questions about a connection's socket, `speculation.rs` reads from
//! the one connection that talks before it asks the kernel, `datagrams.rs` is for sockets without
//! connections, `relaying.rs` passes on what piped connections receive, `last_replies.rs` is for those that
//! stay after their end was told, and `slab.rs` stores sockets
//! by slot.

mod accepting;
mod awaited_headers;
mod commands;
mod connecting;
mod datagrams;
mod events;
mod last_replies;
mod notices;
mod records;
mod relaying;
mod scheduling;
mod slab;
mod socket_options;
mod speculation;
mod starved;
#[cfg(test)]
mod tests;
mod turn;
mod unwatched;

pub use turn::Turn;

use crate::accepting::Listeners;
use crate::connection::Connection;
use crate::handoff::LoopHandle;
use crate::inbound::{Bell, Inbound};
use crate::notices::{Cause, LoopNotice};
use crate::poll::{Alarm, Events, Poll};
use crate::run_queue::RunQueue;
use crate::sync::fence;
use crate::timers::Timers;
use awaited_headers::AwaitedHeaders;
use connecting::PendingDials;
use datagrams::DatagramSockets;
use last_replies::LastReplySockets;
use millrace_ring::{Consumer, Producer};
use slab::Slab;
use speculation::Speculation;
use starved::Starved;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use unwatched::Unwatched;

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// Sockets with untold notices, at which no more connections are accepted.
const UNTOLD: usize = 1024;

/// A loop: its connections, its poll, and its side of its two rings.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    events: Events,
    inbound: Inbound,
    outbound: Consumer,
    handle: LoopHandle,
    connections: Slab<Connection>,
    datagrams: DatagramSockets,
    run_queue: RunQueue,
    /// Connections and datagram sockets with notices, by slot.
    untold: VecDeque<u32>,
    /// Notices about no socket.
    loop_notices: VecDeque<LoopNotice>,
    timers: Timers,
    last_replies: LastReplySockets,
    listeners: Listeners,
    dials: PendingDials,
    awaited_headers: AwaitedHeaders,
    speculation: Speculation,
    unwatched: Unwatched,
    starved: Starved,
}

impl EventLoop {
    /// Makes a loop that fills `inbound` and empties `outbound`, and rings `bell` for both.
    ///
    /// # Errors
    /// If the system gives no poll.
    pub fn new(inbound: Producer, outbound: Consumer, bell: Arc<dyn Bell>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let handle = LoopHandle::new(Alarm::new(&poll)?, bell.clone());
        let now = Instant::now();
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            inbound: Inbound::new(inbound, bell, handle.0.stats.clone(), now),
            outbound,
            handle,
            connections: Slab::new(),
            datagrams: DatagramSockets::new(),
            run_queue: RunQueue::default(),
            untold: VecDeque::new(),
            loop_notices: VecDeque::new(),
            timers: Timers::new(now),
            last_replies: LastReplySockets::default(),
            listeners: Listeners::default(),
            dials: PendingDials::new(now),
            awaited_headers: AwaitedHeaders::new(now),
            speculation: Speculation::new(now),
            unwatched: Unwatched::new(),
            starved: Starved::default(),
        })
    }

    /// The loop as other threads see it.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }

    /// The descriptor that is readable while there are events (an epoll or kqueue), on systems that have
    /// one.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.poll.descriptor()
    }

    /// Sends what the ring holds, with one attempt for each connection, and drops everything.
    pub fn finish(&mut self) {
        self.take_records();
        self.close_handoff();
        self.drop_all();
    }

    /// Drops everything after a panic, and tells the user. Nothing half-done is published.
    pub fn die(&mut self) {
        self.inbound.discard();
        // ORDER: Release: a thread that sees it also sees all records that were published.
        self.handle.0.dead.store(true, Ordering::Release);
        self.close_handoff();
        self.drop_all();
        self.handle.0.bell.ring();
    }

    /// Tells the acceptor that nobody takes from the hand-off queue any more.
    fn close_handoff(&self) {
        self.handle.0.closed.store(true, Ordering::Release);
        // ORDER: the flags before the queues are emptied; whoever pushes does so before it looks at them, and drops
        // what comes too late itself.
        fence(Ordering::SeqCst);
    }

    fn drop_all(&mut self) {
        self.loop_notices.clear();
        self.listeners.clear();
        self.dials.clear();
        self.awaited_headers.clear();
        self.unwatched.clear();
        for slot in 0..self.connections.slots() {
            if let Some(connection) = self.connections.remove(slot) {
                connection.choose_reset(Cause::NONE);
            }
        }
        self.connections.clear();
        self.datagrams.clear();
        self.handle.drop_handoff();
        self.handle.drop_commands();
        // The acceptor may wait for room in this loop's queue, and has to look elsewhere now.
        if let Some(acceptor) = self.handle.0.acceptor.get() {
            acceptor.ring();
        }
    }
}
