//! A connection's transport: plain TCP.

use bytes::BytesMut;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

/// What a connection reads from and writes to. All of it goes through mio's own types, because some
/// of mio's back ends arm a socket again only when they have seen it block.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.0, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // It closes right after, which takes it off an epoll set by itself; an error changes nothing.
        let _ = registry.deregister(&mut self.0);
    }

    pub(crate) fn set_no_delay(&self) {
        // A connection that is already reset refuses it; the next read says so.
        let _ = self.0.set_nodelay(true);
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(into)
    }

    /// Reads at most `limit` bytes behind what `into` holds.
    pub(crate) fn read_behind(&self, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
        millrace_sys::receive(&self.0, into, limit)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    pub(crate) fn write_vectored(&self, vectors: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(vectors)
    }

    pub(crate) fn finish(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// The error that the kernel holds for this socket, if any.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.0.take_error().ok().flatten()
    }

    pub(crate) fn unread(&self) -> usize {
        millrace_sys::unread(&self.0).unwrap_or(0)
    }
}
