//! Loops that belong together, started and stopped as one.
//!
//! `loop_thread.rs` drives each of them on a thread of its own; the loop of an inline group is driven by its
//! user.

mod loop_thread;

use crate::accepting::{BoundListener, ListenerCommand};
use crate::acceptor::{Acceptor, TargetTaken};
use crate::balancing::least;
use crate::connecting::DialOptions;
use crate::event_loop::{EventLoop, Turn};
use crate::handoff::{LoopCommand, LoopHandle};
use crate::inbound::Bell;
use millrace_ring::{Consumer, Producer};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The loop's side of its two rings.
#[derive(Debug)]
pub struct LoopRings {
    /// Filled by the loop.
    pub inbound: Producer,
    /// Emptied by the loop.
    pub outbound: Consumer,
}

/// Why a group cannot do what it was asked to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupError {
    /// No rings were given, so there would be no loop.
    NoLoops,
    /// The system gave no poll, thread or socket.
    Io(io::Error),
    /// A loop of the group was made the target of an acceptor that is not the group's.
    TargetTaken(TargetTaken),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoops => f.write_str("a group has at least one loop"),
            Self::Io(error) => write!(f, "a loop could not be started: {error}"),
            Self::TargetTaken(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GroupError {}

impl From<io::Error> for GroupError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TargetTaken> for GroupError {
    fn from(error: TargetTaken) -> Self {
        Self::TargetTaken(error)
    }
}

/// Loops and their acceptor. The loops have a thread each, or one loop is driven by its user.
#[derive(Debug)]
pub struct Group {
    loops: Vec<LoopHandle>,
    threads: Vec<JoinHandle<()>>,
    /// The loop of a group without threads.
    inline: Option<Box<EventLoop>>,
    /// Exists from the first listener on, if there are two or more loops.
    acceptor: Option<Acceptor>,
}

impl Group {
    /// Starts a loop and a thread for each pair of rings.
    ///
    /// # Errors
    /// [`GroupError`]; the loops that were started by then are stopped.
    pub fn start(rings: Vec<LoopRings>, bell: &Arc<dyn Bell>) -> Result<Self, GroupError> {
        if rings.is_empty() {
            return Err(GroupError::NoLoops);
        }
        let mut group =
            Self { loops: Vec::new(), threads: Vec::new(), inline: None, acceptor: None };
        for (index, LoopRings { inbound, outbound }) in rings.into_iter().enumerate() {
            let started = EventLoop::new(inbound, outbound, bell.clone()).and_then(|event_loop| {
                let handle = event_loop.handle();
                Ok((handle, loop_thread::start(event_loop, index)?))
            });
            match started {
                Ok((handle, thread)) => {
                    group.loops.push(handle);
                    group.threads.push(thread);
                }
                Err(error) => {
                    group.stop();
                    return Err(error.into());
                }
            }
        }
        Ok(group)
    }

    /// Makes one loop without a thread: its user calls [`turn`](Self::turn).
    ///
    /// # Errors
    /// [`GroupError::Io`] if the system gives no poll.
    pub fn inline(rings: LoopRings, bell: &Arc<dyn Bell>) -> Result<Self, GroupError> {
        let event_loop = EventLoop::new(rings.inbound, rings.outbound, bell.clone())?;
        Ok(Self {
            loops: vec![event_loop.handle()],
            threads: Vec::new(),
            inline: Some(Box::new(event_loop)),
            acceptor: None,
        })
    }

    /// The group's loops.
    #[must_use]
    pub fn loops(&self) -> &[LoopHandle] {
        &self.loops
    }

    /// Gives an inline loop a turn, without waiting; `None` if the group has threads, or the loop has
    /// panicked.
    pub fn turn(&mut self) -> Option<Turn> {
        self.step(EventLoop::turn_now)
    }

    /// Does the same without asking the kernel for events: after new records, or new room.
    pub fn work(&mut self) -> Option<Turn> {
        self.step(EventLoop::work)
    }

    fn step(&mut self, step: impl FnOnce(&mut EventLoop) -> Turn) -> Option<Turn> {
        if !self.loops[0].is_alive() {
            return None;
        }
        loop_thread::step_inline(self.inline.as_deref_mut()?, |event_loop| {
            let mut turn = step(event_loop);
            // The loop sleeps in its driver's poll: from here on it has to be woken.
            turn.pending |= event_loop.rest();
            turn
        })
    }

    /// The descriptor to watch for an inline loop, on systems that have one.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.inline.as_ref()?.descriptor()
    }

    /// Begins to accept from a bound listener. With `lane`, the loop at that place in the group accepts (with
    /// one socket for each loop); without, its only loop or the acceptor does.
    ///
    /// # Errors
    /// [`GroupError::Io`] if the acceptor cannot be started, [`GroupError::TargetTaken`] if it may not have
    /// all loops.
    pub fn listen(&mut self, bound: BoundListener, lane: Option<usize>) -> Result<(), GroupError> {
        if lane.is_none() && self.loops.len() > 1 && self.acceptor.is_none() {
            self.acceptor = Some(acceptor_of(&self.loops, Acceptor::start)?);
        }
        self.command(lane, ListenerCommand::Listen(bound));
        Ok(())
    }

    /// Accepts from a listener once more and closes it. Each loop that has connections of it delivers what
    /// they have received, and then says `LISTENER_CLOSED`.
    pub fn close_listener(&self, lane: Option<usize>, id: u32) {
        self.command(lane, ListenerCommand::Close(id));
    }

    /// Accepts nothing more from a listener, or goes on. Answered.
    pub fn pause_listener(&self, lane: Option<usize>, id: u32, is_paused: bool, ticket: u32) {
        self.command(lane, ListenerCommand::Pause { id, is_paused, ticket });
    }

    /// Makes another descriptor of a listener's socket. Answered with its number.
    pub fn duplicate_listener(&self, lane: Option<usize>, id: u32, ticket: u32) {
        self.command(lane, ListenerCommand::Duplicate { id, ticket });
    }

    fn command(&self, lane: Option<usize>, command: ListenerCommand) {
        match &self.acceptor {
            Some(acceptor) if lane.is_none() => acceptor.command(command),
            _ => self.loops[lane.unwrap_or(0)].command(LoopCommand::Listener(command)),
        }
    }

    /// Connects, on the loop at that place in the group or on the one with the fewest connections. The loop
    /// answers with an `OPEN` or a `CONNECT_FAILED` with the number of the options.
    ///
    /// Returns the loop's place; `None` if that loop is dead, or all of them are.
    pub fn connect(&self, at: Option<usize>, options: DialOptions) -> Option<usize> {
        let at = match at {
            Some(at) => Some(at).filter(|at| self.loops.get(*at).is_some_and(LoopHandle::is_alive)),
            None => least(&self.loops),
        }?;
        self.loops[at].assign_connection();
        self.loops[at].command(LoopCommand::Connect(Box::new(options.into())));
        Some(at)
    }

    /// Gives up connecting. Answered by a `CONNECT_FAILED` without an error, unless another answer is on
    /// its way.
    pub fn cancel_connect(&self, at: usize, number: u32) {
        if let Some(target) = self.loops.get(at) {
            target.command(LoopCommand::CancelConnect(number));
        }
    }

    /// Stops everything: each loop sends what its ring holds, as far as the kernel takes it at once, closes
    /// its sockets and ends. Waits for the threads, which wait for nobody.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        for thread in self.threads.drain(..) {
            // A loop that panicked has told its user already.
            let _ = thread.join();
        }
    }

    /// Does the same, but waits no longer than `patience`; false if a thread still runs then.
    pub fn stop_within(&mut self, patience: Duration) -> bool {
        self.ask_to_stop();
        let deadline = Instant::now() + patience;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.stop();
        true
    }

    fn ask_to_stop(&mut self) {
        if let Some(mut acceptor) = self.acceptor.take() {
            acceptor.stop();
        }
        for each in &self.loops {
            each.0.stop.store(true, Ordering::Release);
            each.wake();
        }
        if let Some(mut event_loop) = self.inline.take() {
            let event_loop = &mut event_loop;
            let result =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| event_loop.finish()));
            if result.is_err() {
                event_loop.die();
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts an acceptor that gives connections to all of these loops. None of them is claimed if it cannot be
/// started, or if one of them belongs to another: a claim is for life.
fn acceptor_of(
    loops: &[LoopHandle],
    start: impl FnOnce() -> io::Result<Acceptor>,
) -> Result<Acceptor, GroupError> {
    if loops.iter().any(|each| each.0.acceptor.get().is_some()) {
        return Err(TargetTaken.into());
    }
    let acceptor = start()?;
    loops.iter().try_for_each(|each| acceptor.add_target(each))?;
    Ok(acceptor)
}

#[cfg(test)]
mod tests {
    use super::{Acceptor, GroupError, acceptor_of};
    use crate::handoff::LoopHandle;
    use crate::inbound::testing::Silent;
    use crate::poll::{Alarm, Poll};
    use std::io;
    use std::sync::Arc;

    #[test]
    fn an_acceptor_that_cannot_be_started_claims_no_loop() {
        let polls = [Poll::new().unwrap(), Poll::new().unwrap()];
        let loops = polls
            .each_ref()
            .map(|poll| LoopHandle::new(Alarm::new(poll).unwrap(), Arc::new(Silent)));
        let no_thread = || Err(io::ErrorKind::OutOfMemory.into());
        assert!(matches!(acceptor_of(&loops, no_thread), Err(GroupError::Io(_))));
        assert!(loops.iter().all(|each| each.0.acceptor.get().is_none()));
        // The next one has them all, and they wake that one: to another acceptor they would be taken.
        let acceptor = acceptor_of(&loops, Acceptor::start).unwrap();
        assert!(loops.iter().all(|each| acceptor.add_target(each).is_ok()));
        assert!(matches!(
            acceptor_of(&loops[1..], Acceptor::start),
            Err(GroupError::TargetTaken(_))
        ));
    }
}
