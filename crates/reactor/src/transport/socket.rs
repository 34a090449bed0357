//! A stream socket: TCP or Unix.

use crate::address::Address;
use crate::poll::{Interest, Key, Registrar};
use bytes::BytesMut;
use millrace_sys::{Piece, UnixStream};
use mio::net::TcpStream;
use socket2::SockRef;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

/// A stream socket. All reads and writes go through mio's own types, because some of mio's back ends arm
/// a socket again only when they have seen it block.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    /// Writability is watched only while something waits to be written. The kernel reports a Unix socket
    /// as writable whenever its peer has read something, and a driver that watches the poll itself, as
    /// Node's loop does for an inline loop, would see every socket ready all the time.
    watches_writes: bool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Does the same with either kind of stream.
macro_rules! each {
    ($socket:expr, $stream:ident => $body:expr) => {
        match $socket.stream {
            Stream::Tcp(ref $stream) => $body,
            Stream::Unix(ref $stream) => $body,
        }
    };
    (mut $socket:expr, $stream:ident => $body:expr) => {
        match $socket.stream {
            Stream::Tcp(ref mut $stream) => $body,
            Stream::Unix(ref mut $stream) => $body,
        }
    };
}

impl Socket {
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self { stream: Stream::Tcp(stream), watches_writes: false }
    }

    pub(crate) fn unix(stream: UnixStream) -> Self {
        Self { stream: Stream::Unix(stream), watches_writes: false }
    }

    /// Marks a socket that is not connected yet: it becomes writable once it is.
    pub(crate) fn connecting(self) -> Self {
        Self { watches_writes: true, ..self }
    }

    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_))
    }

    fn interest(&self) -> Interest {
        if self.watches_writes { Interest::ReadAndWrite } else { Interest::Read }
    }

    pub(crate) fn register(&mut self, registrar: Registrar<'_>, key: Key) -> io::Result<()> {
        let interest = self.interest();
        each!(mut self, stream => registrar.register(stream, key, interest))
    }

    /// Arms a registered socket again.
    pub(crate) fn reregister(&mut self, registrar: Registrar<'_>, key: Key) -> io::Result<()> {
        let interest = self.interest();
        each!(mut self, stream => registrar.reregister(stream, key, interest))
    }

    /// Moves a registered socket to the key of its connection, and asks for events as a connection does.
    pub(crate) fn rekey(&mut self, registrar: Registrar<'_>, key: Key) -> io::Result<()> {
        self.watches_writes = false;
        self.reregister(registrar, key)
    }

    /// Asks for an event when the kernel has room, or asks for none any more.
    pub(crate) fn watch_writes(
        &mut self,
        watch: bool,
        registrar: Registrar<'_>,
        key: Key,
    ) -> io::Result<()> {
        if self.watches_writes == watch {
            return Ok(());
        }
        self.watches_writes = watch;
        self.reregister(registrar, key)
    }

    /// Takes the socket off the poll; it is closed right after.
    pub(crate) fn deregister(&mut self, registrar: Registrar<'_>) {
        if millrace_sys::CLOSING_DEREGISTERS {
            return;
        }
        each!(mut self, stream => registrar.deregister(stream));
    }

    /// Lends the socket for a call that neither reads nor writes, such as setting an option.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&socket2::Socket) -> T) -> T {
        each!(self, stream => look(&SockRef::from(stream)))
    }

    pub(crate) fn local_address(&self) -> Address {
        match &self.stream {
            Stream::Tcp(stream) => stream.local_addr().map_or(Address::Unnamed, Address::Inet),
            Stream::Unix(stream) => {
                millrace_sys::local_name(stream).map_or(Address::Unnamed, Address::Unix)
            }
        }
    }

    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<Piece> {
        match &self.stream {
            Stream::Tcp(stream) => { stream }.read(into).map(Piece::whole),
            Stream::Unix(stream) => {
                stream.try_io(|| millrace_sys::read_unix(&SockRef::from(stream), into))
            }
        }
    }

    /// Reads at most `limit` bytes behind what `into` holds.
    pub(crate) fn read_behind(&self, into: &mut BytesMut, limit: usize) -> io::Result<Piece> {
        match &self.stream {
            Stream::Tcp(stream) => stream
                .try_io(|| millrace_sys::receive(&SockRef::from(stream), into, limit))
                .map(Piece::whole),
            Stream::Unix(stream) => {
                stream.try_io(|| millrace_sys::receive_unix(&SockRef::from(stream), into, limit))
            }
        }
    }

    /// Looks at what the next read would read, behind what `into` holds and at most `limit` bytes.
    pub(crate) fn peek_behind(&self, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
        each!(self, stream => {
            stream.try_io(|| millrace_sys::peek(&SockRef::from(stream), into, limit))
        })
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => { stream }.write(bytes)).map_err(unless_begun)
    }

    pub(crate) fn write_vectored(&self, vectors: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => { stream }.write_vectored(vectors)).map_err(unless_begun)
    }

    /// Half-closes: sends FIN after what was written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        each!(self, stream => stream.shutdown(Shutdown::Write))
    }

    /// The error that the kernel holds for this socket, if any.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        each!(self, stream => stream.take_error()).ok().flatten()
    }

    /// Whether the peer has taken the connection.
    pub(crate) fn is_connected(&self) -> bool {
        let result = each!(self, stream => stream.peer_addr().map(drop));
        // Any other error means that it was connected and has ended; the next read says how.
        !result.is_err_and(|error| error.kind() == io::ErrorKind::NotConnected)
    }

    /// Whether this socket is both ends of its TCP connection. A dial to a port that nobody listens on comes to
    /// that if the system chose this very port to connect from. Asks the kernel only if the ports are equal.
    pub(crate) fn is_its_own_peer(&self, local: &Address, dialled: &Address) -> bool {
        let (Some(local), Some(dialled)) = (local.inet(), dialled.inet()) else { return false };
        let Stream::Tcp(stream) = &self.stream else { return false };
        if local.port() != dialled.port() {
            return false;
        }
        // Of an unspecified address, the kernel made another one. With fast open there is no peer yet.
        let peer = stream.peer_addr().unwrap_or(dialled);
        (peer.ip(), peer.port()) == (local.ip(), local.port())
    }

    /// Bytes that the kernel holds and that the peer's side has not acknowledged or read, if the system says.
    pub(crate) fn unacknowledged(&self) -> Option<u32> {
        each!(self, stream => millrace_sys::unacknowledged(&SockRef::from(stream)))
    }

    /// Bytes that the kernel holds and that were not read; 0 if the system does not say.
    pub(crate) fn unread(&self) -> usize {
        each!(self, stream => millrace_sys::unread(&SockRef::from(stream))).unwrap_or(0)
    }
}

/// Treats a write that had to connect first and took no bytes as one that would block (fast open).
fn unless_begun(error: io::Error) -> io::Error {
    if millrace_sys::is_begun(&error) { io::ErrorKind::WouldBlock.into() } else { error }
}
