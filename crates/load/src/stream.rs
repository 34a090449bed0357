//! A non-blocking stream socket: TCP or Unix.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use millrace_sys::{SHORT_MEANS_DRAINED, UnixStream};
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A connected, or connecting, stream.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Calls the same method on whichever socket it is.
macro_rules! either {
    ($stream:expr, $socket:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($socket) => $call,
            Stream::Unix($socket) => $call,
        }
    };
}

impl Stream {
    /// Half-closes: sends FIN; the other direction stays open.
    pub fn shutdown_write(&self) -> io::Result<()> {
        either!(self, socket => socket.shutdown(Shutdown::Write))
    }

    /// Whether watching for writability causes events that nobody waits for. With epoll and kqueue, TCP reports
    /// writability only after a refused write, so the interest never has to change.
    pub fn reports_idle_writability(&self) -> bool {
        !SHORT_MEANS_DRAINED || !matches!(self, Self::Tcp(_))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => { &*socket }.read(buffer))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, socket => { &*socket }.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Stream {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, socket => socket.register(to, token, interest))
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, socket => socket.reregister(to, token, interest))
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        either!(self, socket => socket.deregister(from))
    }
}
