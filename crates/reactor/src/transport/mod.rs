//! What a connection reads from and writes to.
//!
//! A [`Socket`] is a TCP or Unix stream socket. A [`Transport`] owns one, with its sticky readiness, and
//! knows what a short read means and how many bytes were on the wire; the connection counts what its
//! user sees. [`SocketOptions`] sets options, before a socket is connected or while it is open.

mod socket;
mod socket_options;

pub(crate) use socket::Socket;
pub use socket_options::{SocketOptions, socket_option};

use crate::poll::{Event, Key, Readiness, Registrar};
use bytes::BytesMut;
use millrace_sys::Piece;
use std::io::{self, ErrorKind, IoSlice};
use std::mem;

/// `ENOBUFS`, or what Windows calls it.
#[cfg(test)]
const NO_BUFFERS: i32 = match () {
    () if cfg!(windows) => 10055,
    () if cfg!(target_os = "linux") => 105,
    () => 55,
};

/// How one read ended.
#[derive(Debug)]
pub(crate) enum Received {
    /// That many bytes; there may be more.
    Some(usize),
    /// That many bytes, and no more for now.
    Last(usize),
    /// The peer's FIN.
    End,
    /// Nothing for now.
    Nothing,
    /// The socket's error.
    Failed(io::Error),
}

impl Received {
    /// How many bytes were read.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Some(count) | Self::Last(count) => *count,
            _ => 0,
        }
    }
}

/// A connection's socket and what the kernel is known to have for it. Plain: the bytes that the user sees
/// are those on the wire.
#[derive(Debug)]
pub(crate) struct Transport {
    /// `None` once it was taken to be closed.
    socket: Option<Socket>,
    ready: Readiness,
    /// Bytes on the wire, each way, that are not counted yet.
    received: u32,
    sent: u32,
    /// The kernel had no memory for output, and the loop does not know it yet.
    is_starved: bool,
    /// How many of the next writes fail for want of memory.
    #[cfg(test)]
    pub(crate) refusals: u8,
}

impl Transport {
    pub(crate) fn new(socket: Socket) -> Self {
        // A new socket has room; an event says when there is something to read.
        let ready = Readiness { writable: true, ..Readiness::default() };
        Self {
            socket: Some(socket),
            ready,
            received: 0,
            sent: 0,
            is_starved: false,
            #[cfg(test)]
            refusals: 0,
        }
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.socket.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Gives the socket away, to be closed.
    pub(crate) fn take_socket(&mut self) -> Option<Socket> {
        self.socket.take()
    }

    /// Bytes that came over the wire since this was asked last.
    pub(crate) fn take_wire_received(&mut self) -> u64 {
        mem::take(&mut self.received).into()
    }

    /// Bytes that went onto the wire since this was asked last.
    pub(crate) fn take_wire_sent(&mut self) -> u64 {
        mem::take(&mut self.sent).into()
    }

    /// Whether the kernel had no memory for output since this was asked last. No event comes when it has some again.
    pub(crate) fn take_starved(&mut self) -> bool {
        mem::take(&mut self.is_starved)
    }

    /// Makes the next write ask the kernel, whatever events have said.
    pub(crate) fn expect_room(&mut self) {
        self.ready.writable = true;
    }

    /// Adds what an event says to what is known.
    pub(crate) fn note(&mut self, event: Event<'_>) {
        self.ready.note(event);
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.ready.readable
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.ready.writable
    }

    /// The peer's FIN was announced, and no byte is before it.
    pub(crate) fn has_only_end_left(&self) -> bool {
        self.ready.read_closed && self.unread() == 0
    }

    /// Makes the next read ask the kernel, whatever events have said.
    pub(crate) fn expect_input(&mut self) {
        self.ready.readable = true;
    }

    /// Reads no more before an event, whatever the kernel holds.
    pub(crate) fn stop_reading(&mut self) {
        self.ready.readable = false;
    }

    /// Bytes that the kernel holds and that were not read; more than there can be if the kernel does not count them all.
    pub(crate) fn unread(&self) -> usize {
        match &self.socket {
            // The kernel counts only those in front of the mark.
            Some(_) if self.ready.urgent => u32::MAX as usize,
            Some(socket) => socket.unread(),
            None => 0,
        }
    }

    /// Bytes that the kernel holds and that the peer's side has not acknowledged or read, if the system says.
    pub(crate) fn unacknowledged(&self) -> Option<u32> {
        self.socket.as_ref().and_then(Socket::unacknowledged)
    }

    /// The error that an event announced, if the kernel still holds it.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.socket.as_ref().filter(|_| self.ready.error)?.take_error()
    }

    /// The error that the kernel holds, whether an event announced it or not.
    pub(crate) fn take_pending_error(&self) -> Option<io::Error> {
        self.socket.as_ref()?.take_error()
    }

    /// Reads into memory of a fixed size.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Received {
        let Some(socket) = &self.socket else { return Received::Nothing };
        let asked = into.len();
        let result = socket.read(into);
        self.note_read(result, asked)
    }

    /// Reads at most `limit` bytes behind what `into` holds.
    pub(crate) fn read_behind(&mut self, into: &mut BytesMut, limit: usize) -> Received {
        let Some(socket) = &self.socket else { return Received::Nothing };
        let result = socket.read_behind(into, limit);
        self.note_read(result, limit)
    }

    fn note_read(&mut self, result: io::Result<Piece>, asked: usize) -> Received {
        match result {
            Ok(Piece { count: 0, .. }) => {
                self.ready.readable = false;
                Received::End
            }
            Ok(Piece { count, is_cut }) => {
                self.received = self.received.saturating_add(count as u32);
                if count < asked && !is_cut && self.ready.is_drained_by_short_read() {
                    self.ready.readable = false;
                    return Received::Last(count);
                }
                Received::Some(count)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.ready.readable = false;
                    self.ready.urgent = false;
                    Received::Nothing
                }
                ErrorKind::Interrupted => Received::Nothing,
                _ => Received::Failed(error),
            },
        }
    }

    /// Writes what the kernel takes; 0 if that is nothing for now.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(socket) = &self.socket else { return Ok(0) };
        #[cfg(test)]
        if self.refusals > 0 {
            return self.refuse();
        }
        let result = socket.write(bytes);
        self.note_write(result, bytes.len())
    }

    /// Writes what the kernel takes of several pieces; 0 if that is nothing for now.
    pub(crate) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(socket) = &self.socket else { return Ok(0) };
        #[cfg(test)]
        if self.refusals > 0 {
            return self.refuse();
        }
        let asked = pieces.iter().map(|piece| piece.len()).sum();
        let result = socket.write_vectored(pieces);
        self.note_write(result, asked)
    }

    #[cfg(test)]
    fn refuse(&mut self) -> io::Result<usize> {
        self.refusals -= 1;
        self.note_write(Err(io::Error::from_raw_os_error(NO_BUFFERS)), 0)
    }

    fn note_write(&mut self, result: io::Result<usize>, asked: usize) -> io::Result<usize> {
        match result {
            Ok(count) => {
                self.sent = self.sent.saturating_add(count as u32);
                if count < asked && millrace_sys::SHORT_MEANS_DRAINED {
                    self.ready.writable = false;
                }
                Ok(count)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                    Ok(0)
                }
                ErrorKind::Interrupted => Ok(0),
                // This passes, so the connection goes on: the loop tries again.
                _ if millrace_sys::is_out_of_buffers(&error) => {
                    self.ready.writable = false;
                    self.is_starved = true;
                    Ok(0)
                }
                _ => Err(error),
            },
        }
    }

    /// Half-closes: sends FIN after what was written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), Socket::finish)
    }

    /// Asks for an event when the kernel has room, while `waits` says that something waits for it.
    pub(crate) fn watch_writes(
        &mut self,
        waits: bool,
        registrar: Registrar<'_>,
        key: Key,
    ) -> io::Result<()> {
        match &mut self.socket {
            Some(socket) => socket.watch_writes(waits && !self.ready.writable, registrar, key),
            None => Ok(()),
        }
    }
}
