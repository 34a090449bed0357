//! A listening socket of either kind.

use crate::address::Address;
use crate::socket::Socket;
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};
use std::io;

/// Another descriptor of a listening socket; closed if nobody is given it.
#[derive(Debug)]
pub(crate) struct Duplicate {
    #[cfg(unix)]
    descriptor: std::os::fd::OwnedFd,
}

impl Duplicate {
    #[cfg(unix)]
    pub(crate) fn number(&self) -> u32 {
        use std::os::fd::AsRawFd;
        self.descriptor.as_raw_fd().cast_unsigned()
    }

    /// Leaves it to whoever was told its number.
    #[cfg(unix)]
    pub(crate) fn give(self) {
        use std::os::fd::IntoRawFd;
        let _ = self.descriptor.into_raw_fd();
    }

    /// There are none here.
    #[cfg(not(unix))]
    pub(crate) fn number(&self) -> u32 {
        0
    }

    #[cfg(not(unix))]
    pub(crate) fn give(self) {}
}

/// What connections are accepted from.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listening {
    /// Of a socket that listens and does not block.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            return Ok(Self::Unix(UnixListener::from_std(socket.into())));
        }
        Ok(Self::Tcp(TcpListener::from_std(socket.into())))
    }

    pub(crate) fn local_address(&self) -> Address {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or(Address::Unnamed, Address::Inet),
            #[cfg(unix)]
            Self::Unix(listener) => listener.local_addr().map_or(Address::Unnamed, Address::from),
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            #[cfg(unix)]
            Self::Unix(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // It closes right after, which takes it off an epoll set by itself; an error changes nothing.
        let _ = match self {
            Self::Tcp(listener) => registry.deregister(listener),
            #[cfg(unix)]
            Self::Unix(listener) => registry.deregister(listener),
        };
    }

    /// Gives the descriptor up without closing it.
    #[cfg(unix)]
    pub(crate) fn leave_open(self) {
        use std::os::fd::IntoRawFd;
        let _ = match self {
            Self::Tcp(listener) => listener.into_raw_fd(),
            Self::Unix(listener) => listener.into_raw_fd(),
        };
    }

    /// Another descriptor of the same socket, which does not pass to processes that are started.
    pub(crate) fn duplicate(&self) -> io::Result<Duplicate> {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let borrowed = match self {
                Self::Tcp(listener) => listener.as_fd(),
                Self::Unix(listener) => listener.as_fd(),
            };
            Ok(Duplicate { descriptor: borrowed.try_clone_to_owned()? })
        }
        #[cfg(not(unix))]
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().map(|(stream, peer)| (Socket::Tcp(stream), peer.into()))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                // What mio's accept says of an abstract name is that there is none.
                let (stream, _) = listener.accept()?;
                let peer = stream.peer_addr().map_or(Address::Unnamed, Address::from);
                Ok((Socket::unix(stream), peer))
            }
        }
    }
}
