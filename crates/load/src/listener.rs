//! A listening socket of either family.

use std::io;

use mio::event::Source;
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};

use crate::stream::Stream;
use crate::target::Target;

/// What connections are accepted from.
#[derive(Debug)]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over a Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Listens there.
    pub fn bind(at: &Target) -> io::Result<Self> {
        match at {
            Target::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(*address)?)),
            #[cfg(unix)]
            Target::Unix(path) => Ok(Self::Unix(UnixListener::bind(path)?)),
            #[cfg(not(unix))]
            Target::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Where it listens, as `--address` takes it.
    pub fn local(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            #[cfg(unix)]
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(format!("unix:{}", address.as_pathname().unwrap_or("".as_ref()).display()))
            }
        }
    }

    /// The next connection, with Nagle's algorithm off.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }
}

/// The same for either.
macro_rules! either {
    ($listener:expr, $socket:ident => $call:expr) => {
        match $listener {
            Listener::Tcp($socket) => $call,
            #[cfg(unix)]
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
