//! Accepting from one listening socket: bursts, accept back-off, pausing, the last sweep.

use super::{AcceptedSocket, BoundListener};
use crate::address::Address;
use crate::poll::{Key, Registrar};
use crate::service::{Awaited, Place};
use crate::transport::Socket;
use millrace_sys::{AcceptError, Duplicate};
use std::io;
use std::mem;
use std::time::{Duration, Instant};

/// The first wait after descriptors or memory ran out, and the longest; it doubles in between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// Connections accepted from one socket before other sockets have their turn.
const BURST: usize = 256;
/// Connections that the last sweep takes at most, because a flood could keep a listener open for ever: as
/// many as a backlog can hold.
const LAST_SWEEP: usize = 1 << 16;

/// Takes the connections that a listener accepts.
pub(crate) trait AcceptSink {
    /// False while no more can be taken.
    fn has_room(&mut self) -> bool;
    /// Takes a connection.
    fn accept(&mut self, accepted: AcceptedSocket);
    /// Hears that accepting fails, once for each episode.
    fn fail(&mut self, listener: u32, errno: i32);
}

/// A listening socket that is accepted from.
#[derive(Debug)]
pub(crate) struct Listener {
    bound: BoundListener,
    /// The kernel may have connections: set by an event, cleared by `WouldBlock`.
    ready: bool,
    is_paused: bool,
    /// While it closes: how many connections its last sweep may still take.
    last_sweep: Option<usize>,
    /// What it waits for apart from the kernel, and when to try again without that.
    awaited: Option<Awaited>,
    retry: Option<Instant>,
    wait: Duration,
    /// The user was told that accepting fails, and connections have waited ever since.
    failing: bool,
}

impl Listener {
    pub(crate) fn start(
        mut bound: BoundListener,
        registrar: Registrar<'_>,
        key: Key,
    ) -> io::Result<Self> {
        bound.socket.register(registrar, key)?;
        Ok(Self {
            bound,
            ready: false,
            is_paused: false,
            last_sweep: None,
            awaited: None,
            retry: None,
            wait: BACK_OFF.0,
            failing: false,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.bound.profile.id
    }

    pub(crate) fn note_event(&mut self) {
        self.ready = true;
    }

    /// Stops accepting, or goes on; meanwhile the backlog holds new connections.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        // The last sweep must not be held up.
        self.is_paused = is_paused && self.last_sweep.is_none();
    }

    /// Begins the last sweep, even if it is paused; [`sweep`](Self::sweep) says when that is done.
    pub(crate) fn close(&mut self) {
        self.ready = true;
        self.is_paused = false;
        self.awaited = None;
        self.last_sweep = self.last_sweep.or(Some(LAST_SWEEP));
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.last_sweep.is_some()
    }

    pub(crate) fn duplicate(&mut self) -> io::Result<Duplicate> {
        self.bound.duplicate()
    }

    /// When to try again, even if nothing happens.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry.filter(|_| self.awaited.is_some() && !self.is_paused)
    }

    /// True if a call of [`sweep`](Self::sweep) would try to accept now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.ready && !self.is_paused && !self.is_waiting(now)
    }

    fn is_waiting(&self, now: Instant) -> bool {
        self.awaited.is_some_and(|awaited| {
            !self.bound.service.has_come(awaited) && self.retry.is_none_or(|at| now < at)
        })
    }

    /// Accepts as many connections as one burst may; true once the last sweep is done.
    pub(crate) fn sweep(&mut self, now: Instant, sink: &mut dyn AcceptSink) -> bool {
        self.awaited = None;
        let burst = self.last_sweep.unwrap_or(BURST).min(BURST);
        let mut taken = 0;
        while taken < burst && self.ready && self.awaited.is_none() && sink.has_room() {
            self.accept(now, sink);
            taken += 1;
        }
        self.last_sweep.as_mut().is_some_and(|left| {
            *left -= taken;
            *left == 0 || !self.ready || self.awaited.is_some()
        })
    }

    fn accept(&mut self, now: Instant, sink: &mut dyn AcceptSink) {
        let service = &self.bound.service;
        // The place is reserved before accepting: the backlog holds connections that have none.
        let mut place = None;
        if !service.refuses() {
            place = service.reserve();
            if place.is_none() {
                self.awaited = Some(service.await_place());
                self.retry = None;
                // Once more: a place may have become free before it was waited for.
                place = service.reserve();
                if place.is_none() {
                    return;
                }
                self.awaited = None;
            }
        }
        let result = self.bound.socket.accept();
        self.take(result, place, now, sink);
    }

    /// Handles the result of accepting.
    fn take(
        &mut self,
        result: io::Result<(Socket, Address)>,
        place: Option<Place>,
        now: Instant,
        sink: &mut dyn AcceptSink,
    ) {
        match result {
            Ok((socket, peer)) => {
                self.wait = BACK_OFF.0;
                // A refused socket closes here.
                if let Some(place) = place.or_else(|| self.bound.service.reserve()) {
                    let profile = self.bound.profile.clone();
                    sink.accept(AcceptedSocket { socket, peer, profile, place });
                }
            }
            Err(error) => {
                if let Some(place) = place {
                    place.give_back();
                }
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.ready = false;
                    self.failing = false;
                    self.wait = BACK_OFF.0;
                } else if millrace_sys::accept_error(&error) == AcceptError::BackOff {
                    self.back_off(now, &error, sink);
                }
            }
        }
    }

    /// Waits after accepting failed. No event comes again for what is in the backlog, so it is tried again
    /// by time and at every close.
    fn back_off(&mut self, now: Instant, error: &io::Error, sink: &mut dyn AcceptSink) {
        if !mem::replace(&mut self.failing, true) {
            sink.fail(self.id(), error.raw_os_error().unwrap_or(0));
        }
        self.retry = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
        self.awaited = Some(self.bound.service.await_close());
    }

    /// Takes the socket off the poll, after the last sweep.
    pub(crate) fn deregister(&mut self, registrar: Registrar<'_>) {
        self.bound.socket.deregister(registrar);
    }
}

#[cfg(all(test, unix))]
mod tests;
