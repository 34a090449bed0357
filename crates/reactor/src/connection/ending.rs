//! Ending a connection: FIN after the last byte, waiting for the peer's FIN, closing.

use super::{Connection, Input, Output};
use crate::notices::{Cause, Closing};
use crate::run_queue::Next;
use crate::transport::Socket;
use bytes::BytesMut;
use millrace_ring::record::reason;
use millrace_sys::SocketOption;
use std::{io, mem};

impl Connection {
    /// The user will write no more. Its input goes on.
    pub(crate) fn end(&mut self) -> Next {
        if self.output == Output::Open {
            self.output = Output::Ending;
        }
        self.finish()
    }

    /// The user wants no more input, or has had all of it.
    pub(crate) fn input_done(&mut self) -> Next {
        self.is_input_done = true;
        self.discard();
        self.finish()
    }

    /// Closes the connection with a reset, where there is one.
    pub(crate) fn reset(&self) -> Next {
        if let Some(socket) = self.transport.socket() {
            // If it fails, the connection is reset already.
            let _ = socket.with(|socket| SocketOption::Reset.set(socket, 1));
        }
        Next::Close(Cause::of(reason::DESTROYED))
    }

    /// The server is closing, or the connection is old enough: delivers what is received by now, then tells the user that this was all.
    pub(crate) fn drain(&mut self) {
        if self.input == Input::Flowing && self.draining.is_none() {
            self.draining = Some(self.transport.unread() as u32);
            // A peer that reads nothing must not hold up the end of its input.
            self.pauses.output = false;
            self.transport.expect_input();
            if self.pauses.user && self.has_nothing_received() {
                // There is nothing that the pause would hold back.
                self.end_drained_input();
            }
        }
        if self.input == Input::Discarding && self.waits_after_failure() {
            // A pipe would let the input go on.
            self.cold.allocated().drain_owed = true;
        }
        if self.input == Input::Finished && !self.is_input_done && self.failure.is_none() {
            // All is delivered, and the user might never end the connection.
            let reason = self.drain_reason();
            if !self.ends_after_switch(reason) {
                self.notices.eof = Some(reason);
            }
        }
    }

    /// While the server closes: all that had come is delivered.
    pub(super) fn end_drained_input(&mut self) {
        // Kept, because under another framing it may be whole frames.
        let rest = mem::take(&mut self.rest);
        self.discard();
        self.rest = rest;
        self.notices.eof = Some(self.drain_reason());
        // What came since is dropped, and the peer's FIN may be behind it.
        self.transport.expect_input();
    }

    /// Sends FIN once all is sent, and closes once both halves have ended and the user is done.
    pub(super) fn finish(&mut self) -> Next {
        if self.output == Output::Ending && self.send_queue.is_none() {
            self.output = Output::Finished;
            if !self.transport.is_open() {
                return Next::Wait;
            }
            if let Err(error) = self.transport.finish() {
                return Next::Close(self.first_cause(error));
            }
        }
        if self.output == Output::Finished
            && self.is_input_done
            && self.transport.is_open()
            && !self.awaits_last_replies()
            && let Some(cause) = self.failure
        {
            // The user is told at once; the socket stays for the last replies, so that what was sent
            // before the bad frame is not lost to a reset.
            self.tell_closing(cause);
            self.await_last_replies();
        }
        let are_ended = self.output == Output::Finished && self.input == Input::Finished;
        if are_ended && self.is_input_done {
            return Next::Close(self.failure.unwrap_or(Cause::NONE));
        }
        Next::Wait
    }

    /// Why the connection ends, if a call has failed. Of a reset that was not seen yet, its error may say only that
    /// nothing is connected any more.
    pub(super) fn first_cause(&self, error: io::Error) -> Cause {
        let known = self.failure.or(self.broken);
        let first = || self.transport.take_pending_error().unwrap_or(error);
        known.unwrap_or_else(|| Cause::system(&first()))
    }

    /// Gives up everything but the notice of the end. Returns the socket, to be closed.
    pub(crate) fn close(&mut self, cause: Cause) -> Option<Socket> {
        self.choose_reset(cause);
        if !self.notices.closed && self.notices.closing.is_none() {
            self.notices.drain = false;
            self.notices.flushed = false;
            self.tell_closing(cause);
        }
        self.rest = BytesMut::new();
        self.partial = None;
        self.send_queue = None;
        self.transport.take_socket()
    }

    fn tell_closing(&mut self, cause: Cause) {
        let (received, sent) = (self.received, self.sent_for_user());
        self.notices.closing = Some(Box::new(Closing { cause, received, sent }));
    }

    /// The user begins to send a file.
    pub(crate) fn begin_file(&mut self) {
        let written = self.written();
        self.cold.allocated().files.since = Some(written);
    }

    /// All of the file is written, or the user has given up.
    pub(crate) fn end_file(&mut self) {
        let written = self.written();
        let files = &mut self.cold.allocated().files;
        if files.since.take().is_some_and(|since| written > since) {
            files.until = written;
        }
    }

    pub(super) fn sends_file(&self) -> bool {
        self.cold.files().since.is_some()
    }

    /// The bytes that were written, sent or not.
    fn written(&self) -> u64 {
        self.sent + self.queued() as u64
    }

    /// Makes closing the socket send FIN instead of RST, unless the user destroyed the connection, or a limit in time
    /// did while there was output: the kernel may hold some that is not acknowledged. In the middle of a file it is RST.
    pub(crate) fn choose_reset(&self, cause: Cause) {
        let is_cut = self.cold.files().are_cut(self.written(), self.sent);
        if (is_cut || (self.resets && !self.drops_output(cause)))
            && let Some(socket) = self.transport.socket()
        {
            // If it fails, the connection is reset already.
            let _ = socket.with(|socket| SocketOption::Reset.set(socket, u32::from(is_cut)));
        }
    }

    /// Whether such an end drops what is not sent yet, as the user knows.
    fn drops_output(&self, cause: Cause) -> bool {
        match cause.reason {
            reason::DESTROYED
            | reason::IDLE_TIMEOUT
            | reason::RECEIVE_TIMEOUT
            | reason::FIRST_MESSAGE_TIMEOUT
            | reason::FRAME_TIMEOUT
            | reason::WRITE_TIMEOUT => true,
            // Its time to end was over. All may have been sent, and only the peer has not ended.
            reason::LINGER_TIMEOUT | reason::MAX_LIFETIME => {
                self.send_queue.is_some()
                    || self.transport.unacknowledged().is_some_and(|bytes| bytes > 0)
            }
            _ => false,
        }
    }
}
