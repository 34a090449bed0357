//! A loop as its user and the acceptor see it.

use super::{LoopCommand, LoopShared, SocketOptionCommand};
use crate::balancing::Target;
use crate::datagrams::BoundDatagramSocket;
use crate::inbound::Bell;
use crate::poll::Alarm;
use crate::stats::LoopCounts;
use crate::sync::fence;
use crate::transport::SocketOptions;
use millrace_sys::SocketOption;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A loop as other threads see it.
#[derive(Debug, Clone)]
pub struct LoopHandle(pub(crate) Arc<LoopShared>);

impl LoopHandle {
    pub(crate) fn new(alarm: Alarm, bell: Arc<dyn Bell>) -> Self {
        Self(Arc::new(LoopShared::new(alarm, bell)))
    }

    /// Wakes the loop if it sleeps. To be called after publishing records for it.
    pub fn wake(&self) {
        self.0.alarm.ring();
    }

    /// Wakes the loop if it sleeps for lack of room, and `enough` says that it is worth it. To be called
    /// after giving room back.
    pub fn wake_for_room(&self, enough: impl FnOnce() -> bool) {
        self.0.alarm.ring_for_room(enough);
    }

    /// Makes the bell ring when there is more room in the outbound ring. The user has to look once more
    /// at its head after this.
    pub fn await_room(&self) {
        self.0.room.rest(true);
    }

    /// False once the loop has panicked.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // ORDER: pairs with the Release of the thread that died: its last records are published.
        !self.0.dead.load(Ordering::Acquire)
    }

    /// Whether the loop takes connections from its hand-off queue.
    pub(crate) fn takes_connections(&self) -> bool {
        // ORDER: pairs with the Release of the loop, which empties the queue after it.
        !self.0.closed.load(Ordering::Acquire)
    }

    /// Connections that were assigned to the loop and are not closed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// The low 32 bits of the bytes that the kernel took from a connection; `None` once it is gone.
    #[must_use]
    pub fn sent(&self, slot: u32, generation: u32) -> Option<u32> {
        self.0.stats.gauges.read_sent(slot, generation)
    }

    /// The bytes received from a connection; `None` once it is gone.
    #[must_use]
    pub fn received(&self, slot: u32, generation: u32) -> Option<u64> {
        self.0.stats.gauges.read_received(slot, generation)
    }

    /// The bytes that a connection was passed on from the other side of its pipe and that wait to be sent; `None`
    /// once it is gone.
    #[must_use]
    pub fn relayed(&self, slot: u32, generation: u32) -> Option<u64> {
        self.0.stats.gauges.read_relayed(slot, generation)
    }

    /// Sockets that stay for their last replies at this moment. `closed` does not
    /// count them yet.
    #[must_use]
    pub fn last_replies(&self) -> u64 {
        self.0.stats.last_replies()
    }

    /// What the loop has counted so far.
    #[must_use]
    pub fn counters(&self) -> LoopCounts {
        self.0.stats.counters.totals()
    }

    /// Gives the loop a datagram socket. The loop answers with `OPEN`, or with `ACCEPT_ERROR` if it
    /// cannot have the socket.
    pub fn open_datagrams(&self, bound: BoundDatagramSocket) {
        self.command(LoopCommand::OpenDatagrams(Box::new(bound)));
    }

    /// Sets options of a connection's socket. Answered.
    pub fn set_options(&self, slot: u32, generation: u32, options: SocketOptions, ticket: u32) {
        let what = SocketOptionCommand::Set(options);
        self.command(LoopCommand::SocketOption { slot, generation, what, ticket });
    }

    /// Reads an option of a connection's socket. Answered with its value.
    pub fn get_option(&self, slot: u32, generation: u32, option: SocketOption, ticket: u32) {
        let what = SocketOptionCommand::Get(option);
        self.command(LoopCommand::SocketOption { slot, generation, what, ticket });
    }

    /// Makes the loop panic in its next turn.
    #[cfg(feature = "inject")]
    pub fn inject_panic(&self) {
        self.command(LoopCommand::Panic);
    }

    /// Whether both are handles of one loop.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Counts a connection that is assigned to the loop.
    pub(crate) fn assign_connection(&self) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection as closed.
    pub(crate) fn release_connection(&self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Gives a command of the group's owner to the loop.
    pub(crate) fn command(&self, command: LoopCommand) {
        self.0.commands.push(command);
        // ORDER: the command before the look; a loop that dies has the flag before it empties its queue.
        fence(Ordering::SeqCst);
        if !self.is_alive() {
            // The loop died, and its commands were dropped before this one came.
            self.drop_commands();
        }
        self.wake();
    }

    /// Drops the commands of a dead loop, which obeys none: listeners on their way to it close.
    pub(crate) fn drop_commands(&self) {
        while self.0.commands.pop().is_some() {}
    }

    /// Drops what the hand-off queue holds: accepted sockets close.
    pub(crate) fn drop_handoff(&self) {
        while let Some(command) = self.0.handoff.pop() {
            self.drop_command(command);
        }
    }

    /// Drops a command that the loop will not get. An accepted socket closes, and was counted when the loop
    /// was chosen for it.
    pub(crate) fn drop_command(&self, command: LoopCommand) {
        if matches!(command, LoopCommand::Accepted(_)) {
            self.release_connection();
        }
    }
}

impl Target for LoopHandle {
    fn is_alive(&self) -> bool {
        self.takes_connections()
    }

    fn connections(&self) -> usize {
        self.connections()
    }
}
