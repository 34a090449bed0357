//! The thread that accepts for several loops.
//!
//! An [`Acceptor`] belongs to no group: the loops that it gives connections to, its targets, may be added
//! and removed while it runs. `worker.rs` is what its thread does, `distribution.rs` gives accepted
//! sockets to the loops.

mod distribution;
#[cfg(all(test, loom))]
mod loom_handoff;
#[cfg(test)]
mod tests;
mod worker;

use crate::accepting::{BoundListener, ListenerCommand};
use crate::handoff::LoopHandle;
use crate::poll::{Alarm, Poll};
use crossbeam_queue::SegQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::{fmt, io};
use worker::Worker;

/// A change of an acceptor's targets.
#[derive(Debug)]
enum TargetChange {
    /// Give connections to this loop, too.
    Add(LoopHandle),
    /// Give no more connections to this loop.
    Remove(LoopHandle),
}

/// The loop is, or was, the target of another acceptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetTaken;

impl fmt::Display for TargetTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop belongs to another acceptor, and does so all its life")
    }
}

impl std::error::Error for TargetTaken {}

/// What an acceptor and its thread share.
#[derive(Debug)]
struct Shared {
    alarm: Arc<Alarm>,
    /// Apart from the commands, which wait while a target's queue is full.
    changes: SegQueue<TargetChange>,
    /// Holds no more than two commands for each listener, and the questions that wait for an answer.
    commands: SegQueue<ListenerCommand>,
    stop: AtomicBool,
}

impl Shared {
    fn new(alarm: Alarm) -> Self {
        Self {
            alarm: Arc::new(alarm),
            changes: SegQueue::new(),
            commands: SegQueue::new(),
            stop: AtomicBool::new(false),
        }
    }
}

/// A thread that accepts connections and spreads them over loops.
#[derive(Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Starts the thread, with no targets yet.
    ///
    /// # Errors
    /// If the system has no poll or no thread to give.
    pub fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared::new(Alarm::new(&poll)?));
        let worker = Worker::new(poll, shared.clone());
        let thread = std::thread::Builder::new()
            .name("millrace-accept".into())
            .spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Gives connections to a loop, too: every connection that is made after this returns, and perhaps some
    /// that were made before. What is asked of the acceptor later concerns this loop as well. Adding a target
    /// once more changes nothing.
    ///
    /// # Errors
    /// [`TargetTaken`]: a loop is the target of one acceptor at most, all its life.
    pub fn add_target(&self, target: &LoopHandle) -> Result<(), TargetTaken> {
        // When its queue has room again, the loop wakes this acceptor.
        let waker = target.0.acceptor.get_or_init(|| self.shared.alarm.clone());
        if !Arc::ptr_eq(waker, &self.shared.alarm) {
            return Err(TargetTaken);
        }
        self.change(TargetChange::Add(target.clone()));
        Ok(())
    }

    /// Gives no more connections to a loop, which keeps those that it has. This holds for connections that
    /// are made after it returns; those that the loop had no room for yet go to the other targets, or close
    /// if there is none. The loop is not told any more that a listener closed.
    pub fn remove_target(&self, target: &LoopHandle) {
        self.change(TargetChange::Remove(target.clone()));
    }

    fn change(&self, change: TargetChange) {
        self.shared.changes.push(change);
        self.shared.alarm.ring();
    }

    /// Begins to accept from a bound listener.
    pub fn listen(&self, bound: BoundListener) {
        self.command(ListenerCommand::Listen(bound));
    }

    /// Does something with one of its listeners.
    pub(crate) fn command(&self, command: ListenerCommand) {
        if let ListenerCommand::Listen(bound) = &command {
            bound.service.accepted_by(&self.shared.alarm);
        }
        self.shared.commands.push(command);
        self.shared.alarm.ring();
    }

    /// Closes the listeners and waits for the thread.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.alarm.ring();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its sockets are closed all the same.
            let _ = thread.join();
        }
        // What it did not get to: a listener on its way to it closes, too.
        while self.shared.commands.pop().is_some() {}
        while self.shared.changes.pop().is_some() {}
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop();
    }
}
