//! The thread that accepts for several loops.
//!
//! An [`Acceptor`] belongs to no group: the loops that it gives connections to, its targets, may be added
//! and removed while it runs. `worker.rs` is what its thread does, `distribution.rs` gives accepted
//! sockets to the loops.

mod distribution;
mod worker;

use crate::accepting::{BoundListener, ListenerCommand};
use crate::handoff::LoopHandle;
use crate::poll::{Alarm, Poll};
use crossbeam_queue::SegQueue;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use worker::Worker;

/// What the acceptor's owner asks of its thread.
#[derive(Debug)]
enum AcceptorCommand {
    /// Give connections to this loop, too.
    AddTarget(LoopHandle),
    /// Give no more connections to this loop.
    RemoveTarget(LoopHandle),
    Listener(ListenerCommand),
}

/// What an acceptor and its thread share.
#[derive(Debug)]
struct Shared {
    alarm: Arc<Alarm>,
    /// Holds no more than two commands for each listener and each target, and the questions that wait for
    /// an answer.
    commands: SegQueue<AcceptorCommand>,
    stop: AtomicBool,
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
        let alarm = Arc::new(Alarm::new(&poll)?);
        let (commands, stop) = (SegQueue::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { alarm, commands, stop });
        let worker = Worker::new(poll, shared.clone());
        let thread = std::thread::Builder::new()
            .name("millrace-accept".into())
            .spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Gives connections to a loop, too. A loop is the target of one acceptor at most, all its life.
    pub fn add_target(&self, target: &LoopHandle) {
        // When its queue has room again, the loop wakes this acceptor.
        let _ = target.0.acceptor.set(self.shared.alarm.clone());
        self.push(AcceptorCommand::AddTarget(target.clone()));
    }

    /// Gives no more connections to a loop, which keeps those that it has. The loop is not told any more
    /// that a listener closed.
    pub fn remove_target(&self, target: &LoopHandle) {
        self.push(AcceptorCommand::RemoveTarget(target.clone()));
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
        self.push(AcceptorCommand::Listener(command));
    }

    fn push(&self, command: AcceptorCommand) {
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
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop();
    }
}
