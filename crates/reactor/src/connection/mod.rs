//! One connection: its transport, and where it is in its life.
//!
//! ```text
//!  output:  Open ── end() ──► Ending ── all sent ──► FIN sent
//!  input:   Flowing ── peer's FIN ──► Finished
//!              └── input_done(), a bad frame, a closing server ──► Discarding ── FIN ──► Finished
//! ```
//! The two halves end apart. The connection closes when both have ended and the user has said, by
//! `input_done()`, that it has dealt with the input.
//!
//! `reading.rs` reads and `framed.rs` cuts frames; `pausing.rs` stops reading; `writing.rs` sends, and
//! `send_queue.rs` holds what the kernel refused; `relay.rs` is for input that a pipe or a stream takes; `switching.rs`
//! goes on under another framing; `ending.rs` ends the connection; `deadlines.rs` has the limits in time:
//! `timeouts.rs` those that the user set, `linger.rs` and `last_replies.rs` those for the end. This file connects
//! them.

mod cold_state;
mod deadlines;
mod ending;
mod framed;
mod last_replies;
mod linger;
mod pausing;
mod reading;
mod relay;
mod send_queue;
mod switching;
mod timeout_watch;
mod timeouts;
mod writing;

use crate::inbound::Inbound;
use crate::notices::{Cause, Opening, SocketNotices};
use crate::profile::Profile;
use crate::run_queue::{Next, Scheduling};
use crate::service::Place;
use crate::timers::{Clock, Moment, Tick};
use crate::transport::{Socket, SocketOptions, Transport};
use bytes::BytesMut;
use cold_state::ColdState;
use framed::Partial;
use pausing::Pauses;
use send_queue::SendQueue;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;

/// How far the output has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Writes are accepted.
    Open,
    /// The user ended it: what is queued is sent, then FIN.
    Ending,
    /// FIN is sent.
    Finished,
}

/// What happens to the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// It goes to the user.
    Flowing,
    /// It is read and dropped, because closing with unread input would reset the connection.
    Discarding,
    /// The peer's FIN was read.
    Finished,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) profile: Arc<Profile>,
    /// Declared after the transport, which closes the socket: the place is freed after that.
    pub(crate) place: Place,
    pub(crate) notices: SocketNotices,
    pub(crate) scheduling: Scheduling,
    output: Output,
    input: Input,
    /// The user has dealt with all input that it wants.
    is_input_done: bool,
    pauses: Pauses,
    /// The user asked to be told when the queue is at the low-water mark.
    drain_asked: bool,
    /// Bytes received that are not a whole frame yet, or for which the ring had no room.
    rest: BytesMut,
    /// Bytes of `rest` in which no end of a frame was found.
    searched: u32,
    /// Boxed, because few connections have one at any moment.
    partial: Option<Box<Partial>>,
    /// While the server closes, or after the connection was lost: how much of what the kernel held then is still to be read.
    draining: Option<u32>,
    send_queue: Option<Box<SendQueue>>,
    /// The count of sent bytes at which `flushed` is told.
    flush_at: Option<NonZeroU64>,
    /// Why the connection was lost, told once everything received is delivered.
    broken: Option<Cause>,
    /// Why the connection will be closed when all is sent, if not in good order.
    failure: Option<Cause>,
    /// Bytes that came in and went out, as the user counts them.
    received: u64,
    sent: u64,
    /// When the user last wrote, if it did: compact, because every connection has it.
    last_write: Option<Tick>,
    /// The socket is set to reset the connection when it is closed.
    resets: bool,
    cold: ColdState,
    /// The deadline that is in the loop's timers.
    pub(crate) scheduled: Option<Moment>,
}

impl Connection {
    pub(crate) fn new(
        socket: Socket,
        profile: Arc<Profile>,
        place: Place,
        opening: Opening,
        clock: Clock,
    ) -> Self {
        let notices = SocketNotices { opening: Some(Box::new(opening)), ..Default::default() };
        let resets = profile.options.socket.resets();
        let mut connection = Self {
            resets,
            transport: Transport::new(socket),
            profile,
            place,
            notices,
            scheduling: Scheduling::default(),
            output: Output::Open,
            input: Input::Flowing,
            is_input_done: false,
            pauses: Pauses::default(),
            drain_asked: false,
            rest: BytesMut::new(),
            searched: 0,
            partial: None,
            draining: None,
            send_queue: None,
            flush_at: None,
            broken: None,
            failure: None,
            received: 0,
            sent: 0,
            last_write: None,
            cold: ColdState::default(),
            scheduled: None,
        };
        connection.start_timeouts(clock);
        connection
    }

    /// Does whatever can be done now, in both directions.
    pub(crate) fn drive(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> Next {
        if !self.transport.is_open() {
            return Next::Wait;
        }
        let is_read = (!self.pauses.user || self.broken.is_some())
            && !self.waits_after_failure()
            && !self.is_relay_held()
            && !self.is_switching();
        if (!is_read || self.input == Input::Finished)
            && let Some(error) = self.transport.take_error()
        {
            // Nobody reads here, so no read would return this error.
            return self.lost(&error);
        }
        let out = self.send_queued(slot, generation, inbound);
        if let Next::Close(_) = out {
            return out;
        }
        self.read(slot, generation, inbound).beside(out)
    }

    /// Bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Sets options of the socket.
    pub(crate) fn set_options(&mut self, options: &SocketOptions) -> io::Result<()> {
        let socket = self.transport.socket().ok_or(io::ErrorKind::NotConnected)?;
        let result = options.change(socket);
        match options.reset() {
            Some(resets) if result.is_ok() => self.resets = resets,
            // It may have been set before another option failed, and is taken back in any case.
            Some(true) => self.resets = true,
            _ => {}
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::Connection;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Connection>() <= 256, "{}", size_of::<Connection>());
    }
}
