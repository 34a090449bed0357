//! Accepted sockets that the poll did not take: the kernel has no memory, or the user of the process no watches left.
//!
//! They wait, as connections wait in a backlog while descriptors have run out, and the loop accepts nothing meanwhile.
//! It tries again by time, and whenever a connection closes. The user is told once for each such episode.

use super::EventLoop;
use crate::accepting::AcceptedSocket;
use crate::notices::LoopNotice;
use millrace_ring::record::kind;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// The first wait, and the longest; it doubles in between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// Sockets that wait at most. An acceptor that serves several loops goes on to hand over connections; those that come
/// after these are closed.
pub(super) const MOST: usize = 256;

/// The accepted sockets of a loop that wait for a watch, in order.
#[derive(Debug)]
pub(super) struct Unwatched {
    sockets: VecDeque<AcceptedSocket>,
    retry: Option<Instant>,
    wait: Duration,
}

impl Unwatched {
    pub(super) fn new() -> Self {
        Self { sockets: VecDeque::new(), retry: None, wait: BACK_OFF.0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// When to try again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retry
    }

    /// A connection has closed, so that there may be a watch.
    pub(super) fn note_close(&mut self, now: Instant) {
        if self.retry.is_some() {
            self.retry = Some(now);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    fn back_off(&mut self, now: Instant) {
        self.retry = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
    }
}

impl EventLoop {
    /// Takes a connection that was assigned to this loop.
    pub(super) fn adopt(&mut self, accepted: AcceptedSocket) {
        if !self.unwatched.is_empty() {
            return self.await_watch(accepted);
        }
        let Err((accepted, error)) = self.watch_accepted(accepted) else { return };
        let number = accepted.profile.id;
        self.loop_notices.push_back(LoopNotice::failed(kind::ACCEPT_ERROR, number, &error));
        self.unwatched.back_off(self.inbound.now);
        self.await_watch(accepted);
    }

    fn await_watch(&mut self, accepted: AcceptedSocket) {
        if self.unwatched.sockets.len() < MOST {
            self.unwatched.sockets.push_back(accepted);
        } else {
            self.drop_accepted(accepted);
        }
    }

    /// Tries again with the sockets that wait, if it is time.
    pub(super) fn watch_again(&mut self) {
        if self.unwatched.retry.is_none_or(|at| at > self.inbound.now) {
            return;
        }
        while let Some(accepted) = self.unwatched.sockets.pop_front() {
            if let Err((accepted, _)) = self.watch_accepted(accepted) {
                self.unwatched.sockets.push_front(accepted);
                return self.unwatched.back_off(self.inbound.now);
            }
        }
        self.unwatched.clear();
    }

    /// A listener is closed: its connections wait no longer.
    pub(super) fn drop_unwatched_of(&mut self, id: u32) {
        for _ in 0..self.unwatched.sockets.len() {
            let Some(accepted) = self.unwatched.sockets.pop_front() else { break };
            if accepted.profile.id == id {
                self.drop_accepted(accepted);
            } else {
                self.unwatched.sockets.push_back(accepted);
            }
        }
        if self.unwatched.is_empty() {
            self.unwatched.clear();
        }
    }

    /// Watches an accepted socket, and begins its connection. Returns the socket if the poll does not take it.
    fn watch_accepted(
        &mut self,
        accepted: AcceptedSocket,
    ) -> Result<(), (AcceptedSocket, io::Error)> {
        if accepted.profile.proxy.as_ref().is_some_and(|proxy| proxy.trusts(&accepted.peer)) {
            return self.await_header(accepted);
        }
        self.open_accepted(accepted)
    }
}
