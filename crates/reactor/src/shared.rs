//! What a loop shares with the threads beside it.

use crate::acceptor::drop_item;
use crate::counters::{Counters, Snapshot};
use crate::datagrams::BoundDatagrams;
use crate::gauge::Gauges;
use crate::handoff::{Handoff, OptionOrder};
use crate::options::SocketOptions;
use crossbeam_queue::{ArrayQueue, SegQueue};
use millrace_ring::Doorbell;
use millrace_sys::SocketOption;
use mio::Waker;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Sockets on their way to one loop. When it is full the acceptor waits, and the kernel's backlog
/// holds the rest.
const HANDOFF: usize = 1024;

/// How a loop tells its user that there are records, or room, in its rings. Called on the loop's
/// thread; it must not block.
pub trait Bell: Send + Sync + Debug {
    /// Something is there to be looked at.
    fn ring(&self);
}

/// Wakes a thread that sleeps in a mio poll, once an episode.
#[derive(Debug)]
pub(crate) struct Alarm {
    pub(crate) doorbell: Doorbell,
    waker: Waker,
}

impl Alarm {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { doorbell: Doorbell::new(), waker }
    }

    pub(crate) fn ring(&self) {
        if self.doorbell.ring() {
            self.wake();
        }
    }

    fn wake(&self) {
        // It can fail only for want of memory in the kernel; the next ring tries again.
        if self.waker.wake().is_err() {
            self.doorbell.rest(false);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) alarm: Arc<Alarm>,
    /// Rung by the loop when its user waits for room in the outbound ring.
    pub(crate) room: Doorbell,
    pub(crate) bell: Arc<dyn Bell>,
    pub(crate) handoff: ArrayQueue<Handoff>,
    /// From the group's owner, and answers to it. Never waited for; as many as its listeners, its
    /// dials, its datagram sockets, and its questions that wait for an answer.
    pub(crate) commands: SegQueue<Handoff>,
    /// The acceptor holds a socket for which the hand-off queue had no room.
    pub(crate) stalled: AtomicBool,
    /// The acceptor thread of the loop's group, once there is one.
    pub(crate) acceptor: OnceLock<Arc<Alarm>>,
    /// Connections assigned to this loop and not closed.
    pub(crate) connections: AtomicUsize,
    pub(crate) dead: AtomicBool,
    pub(crate) stop: AtomicBool,
    pub(crate) gauges: Gauges,
    pub(crate) counters: Counters,
}

/// A loop as its user and the acceptor see it.
#[derive(Debug, Clone)]
pub struct LoopHandle(pub(crate) Arc<Shared>);

impl LoopHandle {
    pub(crate) fn new(waker: Waker, bell: Arc<dyn Bell>) -> Self {
        Self(Arc::new(Shared {
            alarm: Arc::new(Alarm::new(waker)),
            room: Doorbell::new(),
            bell,
            handoff: ArrayQueue::new(HANDOFF),
            commands: SegQueue::new(),
            stalled: AtomicBool::new(false),
            acceptor: OnceLock::new(),
            connections: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            gauges: Gauges::new(),
            counters: Counters::default(),
        }))
    }

    /// After publishing records for the loop: wakes it if it sleeps.
    pub fn wake(&self) {
        self.0.alarm.ring();
    }

    /// After giving room back: wakes the loop if it sleeps for want of room, and `enough` says that
    /// it is worth it.
    pub fn wake_for_room(&self, enough: impl FnOnce() -> bool) {
        if self.0.alarm.doorbell.ring_for_room(enough) {
            self.0.alarm.wake();
        }
    }

    /// The user waits for room in the outbound ring: look once more at its head after this, and the
    /// bell rings when there is more.
    pub fn await_room(&self) {
        self.0.room.rest(true);
    }

    /// False once the loop has panicked.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // ORDER: pairs with the Release of the thread that died: its last records are published.
        !self.0.dead.load(Ordering::Acquire)
    }

    /// Connections assigned to the loop and not closed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// The low 32 bits of the bytes that the kernel took from a connection; `None` once it is gone.
    #[must_use]
    pub fn sent(&self, slot: u32, generation: u32) -> Option<u32> {
        self.0.gauges.read_sent(slot, generation)
    }

    /// The bytes received from a connection; `None` once it is gone.
    #[must_use]
    pub fn received(&self, slot: u32, generation: u32) -> Option<u64> {
        self.0.gauges.read_received(slot, generation)
    }

    /// What the loop has counted so far.
    #[must_use]
    pub fn counters(&self) -> Snapshot {
        self.0.counters.snapshot()
    }

    /// Gives the loop a datagram socket: it says `OPEN`, or `ACCEPT_ERROR` if it cannot have it.
    pub fn open_datagrams(&self, bound: BoundDatagrams) {
        self.command(Handoff::Datagrams(Box::new(bound)));
    }

    /// Sets options of a connection's socket. Answered.
    pub fn set_options(&self, slot: u32, generation: u32, options: SocketOptions, ticket: u32) {
        let what = OptionOrder::Set(options);
        self.command(Handoff::Option { slot, generation, what, ticket });
    }

    /// Reads an option of a connection's socket. Answered with its value.
    pub fn get_option(&self, slot: u32, generation: u32, option: SocketOption, ticket: u32) {
        let what = OptionOrder::Get(option);
        self.command(Handoff::Option { slot, generation, what, ticket });
    }

    /// Makes the loop panic in its next turn.
    #[cfg(feature = "inject")]
    pub fn inject_panic(&self) {
        self.command(Handoff::Panic);
    }

    /// Hands over a command of the group's owner.
    pub(crate) fn command(&self, command: Handoff) {
        self.0.commands.push(command);
        if !self.is_alive() {
            // It died, and its commands were dropped before this came.
            self.drop_commands();
        }
        self.wake();
    }

    /// A dead loop obeys nothing: listeners on their way to it are closed.
    pub(crate) fn drop_commands(&self) {
        while self.0.commands.pop().map(drop_item).is_some() {}
    }
}
