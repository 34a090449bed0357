//! What a connection has yet to tell its user: state, at most one of each kind, never a queue.

use crate::address::Address;
use crate::io::Io;
use millrace_ring::record::{close, kind, open, reason};

/// Why a connection, or its input, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    /// One of the ring's `reason`s.
    pub(crate) reason: u32,
    /// With `reason::SYSTEM`.
    pub(crate) errno: i32,
}

impl Cause {
    pub(crate) const NONE: Self = Self { reason: reason::NONE, errno: 0 };

    pub(crate) fn of(reason: u32) -> Self {
        Self { reason, errno: 0 }
    }

    pub(crate) fn system(error: &std::io::Error) -> Self {
        Self { reason: reason::SYSTEM, errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// The addresses of a connection that its user has not heard of yet.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) listener: u32,
    pub(crate) remote: Address,
    pub(crate) local: Address,
}

/// The end of a connection, as it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    pub(crate) cause: Cause,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// What is yet to be told, in the order in which it is told.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Boxed, because it is there for a moment and its room would be there for good.
    pub(crate) opening: Option<Box<Opening>>,
    pub(crate) eof: Option<u32>,
    pub(crate) drain: bool,
    pub(crate) flushed: bool,
    pub(crate) closing: Option<Box<Closing>>,
    /// The last word was said.
    pub(crate) closed: bool,
    /// In the loop's list of connections with something to tell.
    pub(crate) listed: bool,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.opening.is_none()
            && self.eof.is_none()
            && !self.drain
            && !self.flushed
            && self.closing.is_none()
    }

    /// Tells what there is room for; false if something is left.
    pub(crate) fn tell(&mut self, slot: u32, generation: u32, io: &mut Io) -> bool {
        if let Some(opening) = &self.opening {
            let mut payload = vec![0; open::SIZE as usize];
            payload[..4].copy_from_slice(&opening.listener.to_ne_bytes());
            let (remote, local) = payload[open::REMOTE as usize..].split_at_mut(24);
            opening.remote.encode(remote);
            opening.local.encode(local);
            payload.extend_from_slice(opening.remote.path());
            payload.extend_from_slice(opening.local.path());
            if !io.control(slot, generation, kind::OPEN, &payload) {
                return false;
            }
            self.opening = None;
        }
        if self.drain && !io.control(slot, generation, kind::DRAIN, &[]) {
            return false;
        }
        self.drain = false;
        if self.flushed && !io.control(slot, generation, kind::FLUSHED, &[]) {
            return false;
        }
        self.flushed = false;
        if let Some(reason) = self.eof {
            if !io.control(slot, generation, kind::EOF, &reason.to_ne_bytes()) {
                return false;
            }
            self.eof = None;
        }
        if let Some(closing) = &self.closing {
            let mut payload = [0; close::CLOSE_SIZE as usize];
            let mut put = |at: u32, bytes: &[u8]| {
                payload[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
            };
            put(close::REASON, &closing.cause.reason.to_ne_bytes());
            put(close::ERRNO, &closing.cause.errno.to_ne_bytes());
            put(close::RECEIVED, &closing.received.to_ne_bytes());
            put(close::SENT, &closing.sent.to_ne_bytes());
            if !io.control(slot, generation, kind::CLOSE, &payload) {
                return false;
            }
            self.closing = None;
            self.closed = true;
        }
        true
    }
}
