//! A listening socket of either kind.

use crate::address::Address;
use crate::socket::Socket;
use millrace_sys::{Duplicate, UnixListener};
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io;

/// What connections are accepted from.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    /// Of a socket that listens and does not block.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_unix() {
            return millrace_sys::unix_listener(socket).map(Self::Unix);
        }
        Ok(Self::Tcp(TcpListener::from_std(socket.into())))
    }

    pub(crate) fn local_address(&self) -> Address {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or(Address::Unnamed, Address::Inet),
            Self::Unix(listener) => {
                millrace_sys::listener_name(listener).map_or(Address::Unnamed, Address::Unix)
            }
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Unix(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // It closes right after, which takes it off an epoll set by itself; an error changes nothing.
        let _ = match self {
            Self::Tcp(listener) => registry.deregister(listener),
            Self::Unix(listener) => registry.deregister(listener),
        };
    }

    /// For what has nothing to do with accepting.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&socket2::Socket) -> T) -> T {
        match self {
            Self::Tcp(listener) => look(&SockRef::from(listener)),
            Self::Unix(listener) => look(&SockRef::from(listener)),
        }
    }

    /// Another descriptor of the same socket.
    pub(crate) fn duplicate(&self) -> io::Result<Duplicate> {
        self.with(Duplicate::of)
    }

    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().map(|(stream, peer)| (Socket::tcp(stream), peer.into()))
            }
            Self::Unix(listener) => {
                // What mio's accept says of an abstract name is that there is none.
                let stream = millrace_sys::accept_unix(listener)?;
                let peer = millrace_sys::peer_name(&stream).map_or(Address::Unnamed, Address::Unix);
                Ok((Socket::unix(stream), peer))
            }
        }
    }
}
