//! Ending a connection: FIN after the last byte, lingering for the peer's FIN, closing.

use super::{Connection, Input, Phase};
use crate::notices::{Cause, Closing};
use crate::run_queue::Next;
use crate::transport::Socket;
use bytes::BytesMut;
use millrace_ring::record::reason;
use millrace_sys::SocketOption;

impl Connection {
    /// The user will read no more and write no more.
    pub(crate) fn end(&mut self) -> Next {
        if self.phase != Phase::Open {
            return Next::Wait;
        }
        self.phase = Phase::Ending;
        if !self.profile.options.allow_half_open {
            self.discard();
        }
        self.finish()
    }

    /// The server is closing: delivers what is received by now, then tells the user that this was all.
    pub(crate) fn drain(&mut self) {
        if self.input == Input::Flowing && self.draining.is_none() {
            self.draining = Some(self.transport.unread() as u32);
            self.transport.expect_input();
        }
        let is_half_open = self.profile.options.allow_half_open
            && self.input == Input::Finished
            && self.phase == Phase::Open;
        if is_half_open && self.failure.is_none() {
            // All is delivered, and the user might never end the connection.
            self.notices.eof = Some(reason::DRAINING);
        }
    }

    /// Sends FIN once all is sent, and closes once the peer has sent its own.
    pub(super) fn finish(&mut self) -> Next {
        if self.phase == Phase::Ending && self.send_queue.is_none() {
            self.phase = Phase::Lingering;
            if !self.transport.is_open() {
                return Next::Wait;
            }
            if let Err(error) = self.transport.finish() {
                return Next::Close(self.failure.unwrap_or(Cause::system(&error)));
            }
            if let Some(cause) = self.failure {
                // The user is told at once; the socket lingers on, so that what was sent before the bad
                // frame is not lost to a reset.
                self.tell_closing(cause);
            }
        }
        if self.phase == Phase::Lingering && self.input == Input::Finished {
            return Next::Close(self.failure.unwrap_or(Cause::NONE));
        }
        Next::Wait
    }

    /// Gives up everything but the notice of the end. Returns the socket, to be closed.
    pub(crate) fn close(&mut self, cause: Cause) -> Option<Socket> {
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
        let (received, sent) = (self.received, self.sent);
        self.notices.closing = Some(Box::new(Closing { cause, received, sent }));
    }

    /// Makes closing the socket send FIN instead of RST, unless the user destroyed the connection: the
    /// kernel may hold output that is not acknowledged.
    pub(crate) fn prevent_reset(&self, cause: Cause, socket: &Socket) {
        if self.resets && cause.reason != reason::DESTROYED {
            // If it fails, the connection is reset already.
            let _ = socket.with(|socket| SocketOption::Reset.set(socket, 0));
        }
    }
}
