//! The memory that a loop shares with other threads.

use super::LoopCommand;
use crate::inbound::Bell;
use crate::poll::Alarm;
use crate::stats::Stats;
use crate::sync::{ArrayQueue, AtomicBool, AtomicUsize};
use crossbeam_queue::SegQueue;
use millrace_ring::Doorbell;
use std::sync::{Arc, OnceLock};

/// Sockets on their way to one loop. When the queue is full the acceptor waits, and the kernel's backlog
/// holds the rest. In the models one fills it.
const HANDOFF: usize = if cfg!(loom) { 1 } else { 1024 };

#[derive(Debug)]
pub(crate) struct LoopShared {
    pub(crate) alarm: Arc<Alarm>,
    /// Rung by the loop when its user waits for room in the outbound ring.
    pub(crate) room: Doorbell,
    pub(crate) bell: Arc<dyn Bell>,
    /// The hand-off queue: from the acceptor.
    pub(crate) handoff: ArrayQueue<LoopCommand>,
    /// From the group's owner, and answers to it. Nobody waits for room in it: it holds no more than the
    /// owner's listeners, dials, datagram sockets, and questions that wait for an answer.
    pub(crate) commands: SegQueue<LoopCommand>,
    /// The acceptor holds a socket for which the hand-off queue had no room.
    pub(crate) stalled: AtomicBool,
    /// The alarm of the acceptor that gives connections to this loop, once there is one.
    pub(crate) acceptor: OnceLock<Arc<Alarm>>,
    /// Connections that were assigned to this loop and are not closed.
    pub(crate) connections: AtomicUsize,
    /// The loop has panicked.
    pub(crate) dead: AtomicBool,
    /// The loop takes nothing any more from its hand-off queue: it has panicked, or has finished.
    pub(crate) closed: AtomicBool,
    pub(crate) stop: AtomicBool,
    pub(crate) stats: Arc<Stats>,
}

impl LoopShared {
    pub(super) fn new(alarm: Alarm, bell: Arc<dyn Bell>) -> Self {
        Self {
            alarm: Arc::new(alarm),
            room: Doorbell::new(),
            bell,
            handoff: ArrayQueue::new(HANDOFF),
            commands: SegQueue::new(),
            stalled: AtomicBool::new(false),
            acceptor: OnceLock::new(),
            connections: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            stats: Arc::default(),
        }
    }
}
