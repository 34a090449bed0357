//! A listening socket: TCP or Unix.

use std::io;

use millrace_sys::UnixListener;
use mio::event::Source;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use crate::stream::Stream;
use crate::target::Target;

/// The backlog: the number that mio uses for TCP.
const BACKLOG: i32 = 1024;

/// A socket that connections are accepted from.
#[derive(Debug)]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over a Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Listens at an address.
    pub fn bind(at: &Target) -> io::Result<Self> {
        match at {
            Target::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(*address)?)),
            Target::Unix(path) => {
                let name = path.as_os_str().as_encoded_bytes();
                let (socket, bound) = millrace_sys::listen_on_path(name, None, BACKLOG, true)?;
                // The benchmark removes the directory.
                if let Some(mut bound) = bound {
                    bound.leave();
                }
                socket.set_nonblocking(true)?;
                millrace_sys::unix_listener(socket).map(Self::Unix)
            }
        }
    }

    /// The address, in the form that `--address` takes.
    pub fn local(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            Self::Unix(listener) => {
                let name = millrace_sys::listener_name(listener).unwrap_or_default();
                Ok(format!("unix:{}", String::from_utf8_lossy(&name)))
            }
        }
    }

    /// Accepts the next connection and turns off Nagle's algorithm.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => millrace_sys::accept_unix(listener).map(Stream::Unix),
        }
    }
}

/// Does the same with either kind of socket.
macro_rules! either {
    ($listener:expr, $socket:ident => $call:expr) => {
        match $listener {
            Listener::Tcp($socket) => $call,
            Listener::Unix($socket) => $call,
        }
    };
}

impl Source for Listener {
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
