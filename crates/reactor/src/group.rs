//! Loops that belong together: one private to a server, or one shared by all of an environment.

use crate::acceptor::Acceptor;
use crate::balance::least;
use crate::bound::Bound;
use crate::dial::DialOptions;
use crate::driver;
use crate::event_loop::{EventLoop, Turn};
use crate::handoff::{Handoff, Order};
use crate::shared::{Bell, LoopHandle};
use millrace_ring::{Consumer, Producer};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The near ends of one loop's rings.
#[derive(Debug)]
pub struct LoopEnds {
    /// The loop fills it.
    pub inbound: Producer,
    /// The loop empties it.
    pub outbound: Consumer,
}

/// Why a group cannot do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupError {
    /// A group has at least one loop.
    NoLoops,
    /// A poll, a thread or a socket could not be had.
    Io(io::Error),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoops => f.write_str("a group has at least one loop"),
            Self::Io(error) => write!(f, "a loop could not be started: {error}"),
        }
    }
}

impl std::error::Error for GroupError {}

impl From<io::Error> for GroupError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Loops, with a thread each or driven by their user, and their acceptor.
#[derive(Debug)]
pub struct Group {
    loops: Vec<LoopHandle>,
    threads: Vec<JoinHandle<()>>,
    /// The one loop of a group without threads.
    inline: Option<Box<EventLoop>>,
    /// With two or more loops, from the first listener on.
    acceptor: Option<Acceptor>,
}

impl Group {
    /// Starts a thread for each pair of ends.
    ///
    /// # Errors
    /// [`GroupError`]; the loops that were started by then are stopped again.
    pub fn start(ends: Vec<LoopEnds>, bell: &Arc<dyn Bell>) -> Result<Self, GroupError> {
        if ends.is_empty() {
            return Err(GroupError::NoLoops);
        }
        let mut group =
            Self { loops: Vec::new(), threads: Vec::new(), inline: None, acceptor: None };
        for (index, LoopEnds { inbound, outbound }) in ends.into_iter().enumerate() {
            let started = EventLoop::new(inbound, outbound, bell.clone()).and_then(|event_loop| {
                let handle = event_loop.handle();
                Ok((handle, driver::start(event_loop, index)?))
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

    /// One loop without a thread: its user calls [`turn`](Self::turn).
    ///
    /// # Errors
    /// [`GroupError::Io`] if there is no poll to be had.
    pub fn inline(ends: LoopEnds, bell: &Arc<dyn Bell>) -> Result<Self, GroupError> {
        let event_loop = EventLoop::new(ends.inbound, ends.outbound, bell.clone())?;
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

    /// One turn of an inline loop, without waiting; `None` if the group has threads, or the loop
    /// has panicked.
    pub fn turn(&mut self) -> Option<Turn> {
        self.step(EventLoop::turn_now)
    }

    /// The same, without asking the kernel for events: after new records, or new room.
    pub fn work(&mut self) -> Option<Turn> {
        self.step(EventLoop::work)
    }

    fn step(&mut self, step: impl FnOnce(&mut EventLoop) -> Turn) -> Option<Turn> {
        if !self.loops[0].is_alive() {
            return None;
        }
        driver::inline(self.inline.as_deref_mut()?, |event_loop| {
            let mut turn = step(event_loop);
            // Its sleep is Node's: from here on it is woken through its poll.
            turn.pending |= event_loop.rest();
            turn
        })
    }

    /// The descriptor to watch for an inline loop, where there is one.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.inline.as_ref()?.descriptor()
    }

    /// Begins to accept from a bound listener: the loop `lane` does, which takes a socket of its own for
    /// each loop; or without one whoever accepts for the group, its one loop or the acceptor's thread.
    ///
    /// # Errors
    /// [`GroupError::Io`] if the acceptor's thread cannot be had.
    pub fn listen(&mut self, bound: Bound, lane: Option<usize>) -> Result<(), GroupError> {
        if lane.is_none() && self.loops.len() > 1 && self.acceptor.is_none() {
            self.acceptor = Some(Acceptor::start(self.loops.clone())?);
        }
        self.order(lane, Order::Listen(bound));
        Ok(())
    }

    /// Accepts from a listener once more and closes it. Each loop that has to do with it then lets its
    /// connections deliver what is received, and says `LISTENER_CLOSED`.
    pub fn close_listener(&self, lane: Option<usize>, id: u32) {
        self.order(lane, Order::Close(id));
    }

    /// Accepts nothing more of a listener, or goes on. Answered.
    pub fn pause_listener(&self, lane: Option<usize>, id: u32, is_paused: bool, ticket: u32) {
        self.order(lane, Order::Pause { id, is_paused, ticket });
    }

    /// Makes another descriptor of a listener's socket. Answered with its number.
    pub fn duplicate_listener(&self, lane: Option<usize>, id: u32, ticket: u32) {
        self.order(lane, Order::Duplicate { id, ticket });
    }

    fn order(&self, lane: Option<usize>, order: Order) {
        match &self.acceptor {
            Some(acceptor) if lane.is_none() => acceptor.order(order),
            _ => self.loops[lane.unwrap_or(0)].command(Handoff::Order(order)),
        }
    }

    /// Connects, on the loop at that place in the group, or on the one with the fewest connections.
    /// That loop answers with an `OPEN` or a `CONNECT_FAILED`, whose number is that of the options.
    ///
    /// Returns the loop's place; `None` if it is dead, or all of them are.
    pub fn connect(&self, at: Option<usize>, options: DialOptions) -> Option<usize> {
        let at = match at {
            Some(at) => Some(at).filter(|at| self.loops.get(*at).is_some_and(LoopHandle::is_alive)),
            None => least(&self.loops),
        }?;
        self.loops[at].0.connections.fetch_add(1, Ordering::Relaxed);
        self.loops[at].command(Handoff::Connect(Box::new(options.into())));
        Some(at)
    }

    /// Gives up connecting. Answered by a `CONNECT_FAILED` without an error, unless the answer is on
    /// its way.
    pub fn cancel_connect(&self, at: usize, number: u32) {
        if let Some(target) = self.loops.get(at) {
            target.command(Handoff::CancelConnect(number));
        }
    }

    /// Stops everything: each loop sends what its ring holds, as far as the kernel takes it at
    /// once, closes its sockets and ends. Waits for the threads, which wait for nobody.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        for thread in self.threads.drain(..) {
            // A loop that panicked has said so already.
            let _ = thread.join();
        }
    }

    /// The same, but waits no longer than `patience`; false if a thread was still running then.
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
