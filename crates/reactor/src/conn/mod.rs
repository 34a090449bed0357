//! One connection: a socket, what it is ready for, and where it is in its life.
//!
//! ```text
//!  phase:   Open ── end() ──► Ending ── all sent, FIN ──► Lingering ── peer's FIN ──► closed
//!  input:   Flowing ── FIN ──► Finished
//!              └── end(), a bad frame, a closing server ──► Discarding ── FIN ──► Finished
//! ```
//! `input.rs` reads, `output.rs` writes; here is what connects the two.

mod input;
mod output;

use crate::control::{Cause, Closing, Notes, Opening};
use crate::decoder::Frame;
use crate::io::Io;
use crate::listener::Listener;
use crate::lists::Listed;
use crate::options::SocketOptions;
use crate::outbound::Outbound;
use crate::ready::Ready;
use crate::socket::Socket;
use crate::spent::Spent;
use bytes::BytesMut;
use millrace_ring::record::reason;
use millrace_sys::SocketOption;
use std::io;
use std::sync::Arc;

/// How far the way out has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Writes are taken.
    Open,
    /// The user ended it: what is queued is sent, then FIN.
    Ending,
    /// FIN is sent; waiting for the peer's.
    Lingering,
}

/// What happens to what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// It goes to the user.
    Flowing,
    /// It is read, so that closing resets nothing, and dropped.
    Discarding,
    /// The peer's FIN was read.
    Finished,
}

/// Who holds reading back.
#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    /// The user.
    user: bool,
    /// The high-water mark of the output.
    output: bool,
}

/// What a connection needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// An event, or a record.
    Wait,
    /// Another turn: it used its budget.
    Again,
    /// Room in the inbound ring.
    Starve,
    /// That the user consumes the inbound ring up to this position.
    Hold(u32),
    /// To be closed.
    Close(Cause),
}

/// A frame of which a part is in the ring, or whose header is taken off and whose body waits.
#[derive(Debug, Clone, Copy)]
struct Partial {
    frame: Frame,
    /// Bytes of the body in the ring.
    told: u32,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) socket: Option<Socket>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) notes: Notes,
    pub(crate) ready: Ready,
    phase: Phase,
    input: Input,
    pauses: Pauses,
    pub(crate) listed: Listed,
    asked: bool,
    /// Bytes received that are no whole frame yet, or for which the ring had no room.
    rest: BytesMut,
    searched: u32,
    partial: Option<Partial>,
    /// With the server closing: how much of what the kernel held then is still to be read.
    draining: Option<usize>,
    spent: Spent,
    outbound: Option<Box<Outbound>>,
    /// The count of sent bytes at which `flushed` is told.
    flush_at: Option<u64>,
    /// The error of a failed write, told once everything received is delivered.
    broken: Option<Cause>,
    /// Why it will be closed when all is sent, if not in good order.
    failure: Option<Cause>,
    received: u64,
    sent: u64,
    /// Its socket is set to reset the connection when it is closed.
    resets: bool,
    /// In the loop's timers, 0 if not.
    pub(crate) deadline: u64,
}

impl Conn {
    pub(crate) fn new(socket: Socket, listener: Arc<Listener>, opening: Opening) -> Self {
        let notes = Notes { opening: Some(Box::new(opening)), ..Notes::default() };
        let resets = listener.limits.socket.resets();
        Self {
            resets,
            socket: Some(socket),
            listener,
            notes,
            // A new socket has room; that there is something to read, an event says.
            ready: Ready { writable: true, ..Ready::default() },
            phase: Phase::Open,
            input: Input::Flowing,
            pauses: Pauses::default(),
            listed: Listed::default(),
            asked: false,
            rest: BytesMut::new(),
            searched: 0,
            partial: None,
            draining: None,
            spent: Spent::default(),
            outbound: None,
            flush_at: None,
            broken: None,
            failure: None,
            received: 0,
            sent: 0,
            deadline: 0,
        }
    }

    /// Does whatever can be done now, in both directions.
    pub(crate) fn drive(&mut self, slot: u32, generation: u32, io: &mut Io) -> Next {
        if self.socket.is_none() {
            return Next::Wait;
        }
        if self.ready.error
            && (self.pauses.user || self.input == Input::Finished)
            && let Some(error) = self.socket.as_ref().and_then(Socket::take_error)
        {
            // Nobody reads here, so nobody would ever meet it.
            return Next::Close(self.failure.unwrap_or(Cause::system(&error)));
        }
        let out = self.send_queued(slot, generation, io);
        if let Next::Close(_) = out {
            return out;
        }
        match (out, self.read(slot, generation, io)) {
            // There is more to send, whatever the ring says to more input.
            (Next::Again, Next::Wait | Next::Starve | Next::Hold(_)) => Next::Again,
            (_, read) => read,
        }
    }

    /// The user will read no more and write no more.
    pub(crate) fn end(&mut self) -> Next {
        if self.phase != Phase::Open {
            return Next::Wait;
        }
        self.phase = Phase::Ending;
        if !self.listener.limits.allow_half_open {
            self.discard();
        }
        self.finish()
    }

    /// Bytes that the kernel has given.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// True while the time to flush and linger runs: nothing more is delivered, with half-open too.
    pub(crate) fn is_ending(&self) -> bool {
        self.phase != Phase::Open && self.input != Input::Flowing
    }

    pub(crate) fn pause(&mut self) {
        self.pauses.user = true;
    }

    pub(crate) fn resume(&mut self) {
        self.pauses.user = false;
    }

    /// Its server is closing: deliver what is received by now, then say that this was all.
    pub(crate) fn drain(&mut self) {
        if self.input == Input::Flowing && self.draining.is_none() {
            self.draining = Some(self.socket.as_ref().map_or(0, Socket::unread));
            self.ready.readable = true;
        }
        let is_half_open = self.listener.limits.allow_half_open
            && self.input == Input::Finished
            && self.phase == Phase::Open;
        if is_half_open && self.failure.is_none() {
            // All is delivered, and its user might never end it.
            self.notes.eof = Some(reason::DRAINING);
        }
    }

    /// Changes options of its socket.
    pub(crate) fn change(&mut self, options: &SocketOptions) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let result = options.change(socket);
        match options.reset() {
            Some(resets) if result.is_ok() => self.resets = resets,
            // It may have been set before another failed, and is taken back in any case.
            Some(true) => self.resets = true,
            _ => {}
        }
        result
    }

    /// Only destroying resets: what ends otherwise may have output in the kernel that is not
    /// acknowledged.
    pub(crate) fn calm(&self, cause: Cause, socket: &Socket) {
        if self.resets && cause.reason != reason::DESTROYED {
            // If it cannot be, it is a reset already.
            let _ = socket.with(|socket| SocketOption::Reset.set(socket, 0));
        }
    }

    /// Gives up everything but the last word.
    pub(crate) fn close(&mut self, cause: Cause) -> Option<Socket> {
        if !self.notes.closed && self.notes.closing.is_none() {
            self.notes.drain = false;
            self.notes.flushed = false;
            let (received, sent) = (self.received, self.sent);
            self.notes.closing = Some(Box::new(Closing { cause, received, sent }));
        }
        self.rest = BytesMut::new();
        self.partial = None;
        self.outbound = None;
        self.socket.take()
    }

    fn discard(&mut self) {
        if self.input == Input::Flowing {
            self.input = Input::Discarding;
            self.rest = BytesMut::new();
            self.partial = None;
            self.draining = None;
            self.pauses = Pauses::default();
        }
    }

    /// Sends FIN once all is sent, and closes once the peer has sent its own.
    fn finish(&mut self) -> Next {
        if self.phase == Phase::Ending && self.outbound.is_none() {
            self.phase = Phase::Lingering;
            let Some(socket) = &self.socket else { return Next::Wait };
            if let Err(error) = socket.finish() {
                return Next::Close(self.failure.unwrap_or(Cause::system(&error)));
            }
            if let Some(cause) = self.failure {
                // The user is told at once; the socket lingers on behind, so that what was sent
                // before the bad frame is not lost to a reset.
                let (received, sent) = (self.received, self.sent);
                self.notes.closing = Some(Box::new(Closing { cause, received, sent }));
            }
        }
        if self.phase == Phase::Lingering && self.input == Input::Finished {
            return Next::Close(self.failure.unwrap_or(Cause::NONE));
        }
        Next::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::Conn;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 256, "{}", size_of::<Conn>());
    }
}
