//! What a connection or datagram socket has still to tell its user.

use super::Cause;
use crate::address::Address;
use crate::inbound::Inbound;
use millrace_ring::record::{close, kind, open, reason};

/// A new socket that its user has not heard of yet.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The number of its listener or dial.
    pub(crate) number: u32,
    pub(crate) remote: Address,
    pub(crate) local: Address,
}

/// The end of a socket, as its user is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    pub(crate) cause: Cause,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// The times that have ended and that the user is asked about, because it may know better: whether it holds
/// the input back, what a raw stream is made of, or whether it wants the time to begin again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AskedTimeouts {
    pub(crate) idle: bool,
    pub(crate) receive: bool,
    pub(crate) first_message: bool,
    pub(crate) frame: bool,
}

impl AskedTimeouts {
    /// Asks about the time with that reason.
    pub(crate) fn ask(&mut self, reason: u32) {
        match reason {
            reason::IDLE_TIMEOUT => self.idle = true,
            reason::RECEIVE_TIMEOUT => self.receive = true,
            reason::FIRST_MESSAGE_TIMEOUT => self.first_message = true,
            _ => self.frame = true,
        }
    }
}

/// What is still to be told about a socket, in the order in which it is told. State, not a queue: there
/// is at most one notice of each kind.
#[derive(Debug, Default)]
pub(crate) struct SocketNotices {
    /// Boxed: it exists for a moment, and its room would be taken for good.
    pub(crate) opening: Option<Box<Opening>>,
    pub(crate) eof: Option<u32>,
    pub(crate) drain: bool,
    pub(crate) flushed: bool,
    /// Times that have ended, and that the user is asked about.
    pub(crate) timeouts: AskedTimeouts,
    pub(crate) closing: Option<Box<Closing>>,
    /// The closing was told.
    pub(crate) closed: bool,
    /// The socket is in the loop's list of those with something to tell.
    pub(crate) listed: bool,
}

impl SocketNotices {
    pub(crate) fn is_empty(&self) -> bool {
        self.opening.is_none()
            && self.eof.is_none()
            && !self.drain
            && !self.flushed
            && self.timeouts == AskedTimeouts::default()
            && self.closing.is_none()
    }

    /// Tells as much as there is room for; false if something is left.
    pub(crate) fn tell(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> bool {
        if let Some(opening) = &self.opening {
            let mut payload = vec![0; open::SIZE as usize];
            payload[..4].copy_from_slice(&opening.number.to_ne_bytes());
            let (remote, local) = payload[open::REMOTE as usize..].split_at_mut(24);
            opening.remote.encode(remote);
            opening.local.encode(local);
            payload.extend_from_slice(opening.remote.path());
            payload.extend_from_slice(opening.local.path());
            if !inbound.control(slot, generation, kind::OPEN, &payload) {
                return false;
            }
            self.opening = None;
        }
        if self.drain && !inbound.control(slot, generation, kind::DRAIN, &[]) {
            return false;
        }
        self.drain = false;
        if self.flushed && !inbound.control(slot, generation, kind::FLUSHED, &[]) {
            return false;
        }
        self.flushed = false;
        for (is_asked, reason) in [
            (&mut self.timeouts.idle, reason::IDLE_TIMEOUT),
            (&mut self.timeouts.receive, reason::RECEIVE_TIMEOUT),
            (&mut self.timeouts.first_message, reason::FIRST_MESSAGE_TIMEOUT),
            (&mut self.timeouts.frame, reason::FRAME_TIMEOUT),
        ] {
            let payload = reason.to_ne_bytes();
            if *is_asked && !inbound.control(slot, generation, kind::TIMEOUT, &payload) {
                return false;
            }
            *is_asked = false;
        }
        if let Some(reason) = self.eof {
            if !inbound.control(slot, generation, kind::EOF, &reason.to_ne_bytes()) {
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
            if !inbound.control(slot, generation, kind::CLOSE, &payload) {
                return false;
            }
            self.closing = None;
            self.closed = true;
        }
        true
    }
}
