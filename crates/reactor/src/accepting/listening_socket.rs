//! A listening socket: TCP or Unix.

use crate::address::Address;
use crate::poll::{Interest, Key, Registrar};
use crate::transport::Socket;
use millrace_sys::{Duplicate, UnixListener};
use mio::net::TcpListener;
use socket2::SockRef;
use std::io;

/// A socket that connections are accepted from.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl ListeningSocket {
    /// Takes a socket that listens and does not block.
    pub(super) fn new(socket: socket2::Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_unix() {
            return millrace_sys::unix_listener(socket).map(Self::Unix);
        }
        Ok(Self::Tcp(TcpListener::from_std(socket.into())))
    }

    pub(super) fn local_address(&self) -> Address {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or(Address::Unnamed, Address::Inet),
            Self::Unix(listener) => {
                millrace_sys::listener_name(listener).map_or(Address::Unnamed, Address::Unix)
            }
        }
    }

    pub(super) fn register(&mut self, registrar: Registrar<'_>, key: Key) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registrar.register(listener, key, Interest::Read),
            Self::Unix(listener) => registrar.register(listener, key, Interest::Read),
        }
    }

    /// Takes the socket off the poll; it is closed right after.
    pub(super) fn deregister(&mut self, registrar: Registrar<'_>) {
        match self {
            Self::Tcp(listener) => registrar.deregister(listener),
            Self::Unix(listener) => registrar.deregister(listener),
        }
    }

    /// Lends the socket for a call that does not accept.
    fn with<T>(&self, look: impl FnOnce(&socket2::Socket) -> T) -> T {
        match self {
            Self::Tcp(listener) => look(&SockRef::from(listener)),
            Self::Unix(listener) => look(&SockRef::from(listener)),
        }
    }

    /// Makes another descriptor of the same socket.
    pub(super) fn duplicate(&self) -> io::Result<Duplicate> {
        self.with(Duplicate::of)
    }

    pub(super) fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().map(|(stream, peer)| (Socket::tcp(stream), peer.into()))
            }
            Self::Unix(listener) => {
                // Not mio's accept, which loses an abstract name.
                let stream = millrace_sys::accept_unix(listener)?;
                let peer = millrace_sys::peer_name(&stream).map_or(Address::Unnamed, Address::Unix);
                Ok((Socket::unix(stream), peer))
            }
        }
    }
}
