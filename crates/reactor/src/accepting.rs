//! Accepting from one listener, which survives what accepting meets.

use crate::address::Address;
use crate::bound::Bound;
use crate::listener::Listener;
use crate::socket::Socket;
use millrace_sys::AcceptError;
use mio::{Registry, Token};
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first wait after descriptors or memory ran out, and the longest: it doubles between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Takes what a listener accepts.
pub(crate) trait Sink {
    /// False while nothing more can be taken.
    fn has_room(&mut self) -> bool;
    /// For the last sweep of a listener, which cannot come back later: waits for room; false to
    /// give up.
    fn wait(&mut self) -> bool;
    /// A connection, counted in its service.
    fn accept(&mut self, socket: Socket, peer: Address, listener: &Arc<Listener>);
    /// Accepting fails; told once an episode.
    fn fail(&mut self, listener: u32, errno: i32);
}

/// A listener that is accepted from.
#[derive(Debug)]
pub(crate) struct Accepting {
    bound: Bound,
    /// The kernel may have connections: set by its edge, cleared by `WouldBlock`.
    ready: bool,
    retry: Option<Instant>,
    wait: Duration,
    /// The user was told that accepting fails, and connections have been waiting ever since.
    failing: bool,
}

impl Accepting {
    pub(crate) fn start(mut bound: Bound, registry: &Registry, token: Token) -> io::Result<Self> {
        bound.socket.register(registry, token)?;
        Ok(Self { bound, ready: false, retry: None, wait: BACK_OFF.0, failing: false })
    }

    pub(crate) fn id(&self) -> u32 {
        self.bound.listener.id
    }

    pub(crate) fn note_event(&mut self) {
        self.ready = true;
    }

    /// Someone closed a connection, or the time to wait is over: try again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry
    }

    /// True if a call of [`sweep`](Self::sweep) would try to accept now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.ready && self.retry.is_none_or(|at| at <= now || !self.is_blocked())
    }

    fn is_blocked(&self) -> bool {
        self.bound.service.is_blocked()
    }

    /// Accepts at most `limit` connections; true if there may be more at once.
    pub(crate) fn sweep(&mut self, now: Instant, limit: usize, sink: &mut dyn Sink) -> bool {
        let service = self.bound.service.clone();
        for _ in 0..limit {
            if !self.ready {
                return false;
            }
            if !sink.has_room() {
                return true;
            }
            if service.is_full() && !service.refuses() && service.block() {
                // A close rings; the far-off time only keeps this listener out of `is_due`.
                self.retry = Some(now + Duration::from_secs(3600));
                return false;
            }
            match self.bound.socket.accept() {
                Ok((socket, peer)) => {
                    self.retry = None;
                    self.wait = BACK_OFF.0;
                    // A socket that is refused closes here.
                    if service.admit() {
                        sink.accept(socket, peer, &self.bound.listener);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready = false;
                    self.retry = None;
                    self.failing = false;
                }
                Err(error) => match millrace_sys::accept_error(&error) {
                    AcceptError::Next => {}
                    AcceptError::BackOff => {
                        self.back_off(now, &error, sink);
                        return false;
                    }
                },
            }
        }
        self.ready
    }

    /// The edge does not come again, so it is tried again by time and at every close.
    fn back_off(&mut self, now: Instant, error: &io::Error, sink: &mut dyn Sink) {
        if !mem::replace(&mut self.failing, true) {
            sink.fail(self.id(), error.raw_os_error().unwrap_or(0));
        }
        self.retry = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
        self.bound.service.block();
    }

    /// Takes what the kernel still holds, and closes.
    pub(crate) fn close(mut self, now: Instant, registry: &Registry, sink: &mut dyn Sink) {
        self.ready = true;
        self.retry = None;
        while self.sweep(now, usize::MAX, sink) && sink.wait() {}
        self.bound.socket.deregister(registry);
    }
}
