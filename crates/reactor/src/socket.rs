//! A connection's transport: plain TCP or a Unix stream socket.

use crate::address::Address;
use bytes::BytesMut;
use millrace_sys::UnixStream;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

/// What a connection reads from and writes to. All of it goes through mio's own types, because some
/// of mio's back ends arm a socket again only when they have seen it block.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    /// That it can be written to is asked for only while something waits to be written: of a Unix socket
    /// the kernel says so whenever its peer has read something, and who watches the poll itself, as
    /// Node's loop does that of an inline loop, would see every socket ready all the time.
    watches_writes: bool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same for every transport.
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

    /// One that is not connected yet: that it can be written to says that it is.
    pub(crate) fn connecting(self) -> Self {
        Self { watches_writes: true, ..self }
    }

    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_))
    }

    fn interest(&self) -> Interest {
        if self.watches_writes {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest();
        each!(mut self, stream => registry.register(stream, token, interest))
    }

    /// Armed anew.
    pub(crate) fn reregister(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest();
        each!(mut self, stream => registry.reregister(stream, token, interest))
    }

    /// One that was connecting, and is connected: under the token that it has from here on.
    pub(crate) fn connected(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.watches_writes = false;
        self.reregister(registry, token)
    }

    /// Says whether there is something to write that the kernel has refused.
    pub(crate) fn watch_writes(
        &mut self,
        watch: bool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        if self.watches_writes == watch {
            return Ok(());
        }
        self.watches_writes = watch;
        self.reregister(registry, token)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if millrace_sys::CLOSING_DEREGISTERS {
            return;
        }
        // It closes right after; an error changes nothing.
        let _ = each!(mut self, stream => registry.deregister(stream));
    }

    /// For what has nothing to do with reading and writing.
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

    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => { stream }.read(into))
    }

    /// Reads at most `limit` bytes behind what `into` holds.
    pub(crate) fn read_behind(&self, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
        each!(self, stream => {
            stream.try_io(|| millrace_sys::receive(&SockRef::from(stream), into, limit))
        })
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => { stream }.write(bytes)).map_err(unless_begun)
    }

    pub(crate) fn write_vectored(&self, vectors: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => { stream }.write_vectored(vectors)).map_err(unless_begun)
    }

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
        // Any other error says that it was connected, and is over already: the next read knows more.
        !result.is_err_and(|error| error.kind() == io::ErrorKind::NotConnected)
    }

    pub(crate) fn unread(&self) -> usize {
        each!(self, stream => millrace_sys::unread(&SockRef::from(stream))).unwrap_or(0)
    }
}

/// A write that had to connect first, and took nothing along, is one that would block.
fn unless_begun(error: io::Error) -> io::Error {
    if millrace_sys::is_begun(&error) { io::ErrorKind::WouldBlock.into() } else { error }
}
