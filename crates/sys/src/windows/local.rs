//! Unix stream sockets, which mio does not support on Windows: these types have no values, and the functions
//! that would make one fail with `Unsupported`.

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{SockAddr, Socket};
use std::convert::Infallible;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::windows::io::{AsSocket, BorrowedSocket};

/// A connection.
#[derive(Debug)]
pub struct UnixStream(Infallible);

/// A socket that listens.
#[derive(Debug)]
pub struct UnixListener(Infallible);

/// A path that was bound.
#[derive(Debug)]
pub struct BoundPath(Infallible);

/// Makes the address of a path.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn unix_address(_name: &[u8]) -> io::Result<SockAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a socket that listens on a path.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn listen_on_path(
    _name: &[u8],
    _mode: Option<u32>,
    _backlog: i32,
    _ignores_lock: bool,
) -> io::Result<(Socket, Option<BoundPath>)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes mio's stream from a socket.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn unix_stream(_socket: Socket) -> io::Result<UnixStream> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes mio's listener from a socket.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn unix_listener(_socket: Socket) -> io::Result<UnixListener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Accepts the next connection.
///
/// # Errors
/// None: there is no listener.
pub fn accept_unix(listener: &UnixListener) -> io::Result<UnixStream> {
    match listener.0 {}
}

/// The path that a listener is bound to.
#[must_use]
pub fn listener_name(listener: &UnixListener) -> Option<Box<[u8]>> {
    match listener.0 {}
}

/// The path that our end of a connection is bound to.
#[must_use]
pub fn local_name(stream: &UnixStream) -> Option<Box<[u8]>> {
    match stream.0 {}
}

/// The path that the peer's end of a connection is bound to.
#[must_use]
pub fn peer_name(stream: &UnixStream) -> Option<Box<[u8]>> {
    match stream.0 {}
}

impl BoundPath {
    /// Keeps the path: others may listen on it from now on.
    pub fn leave(&mut self) {
        match self.0 {}
    }
}

#[expect(clippy::missing_errors_doc, reason = "there is no value to call them on")]
impl UnixStream {
    /// Like mio's.
    pub fn try_io<T>(&self, _call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.0 {}
    }

    /// Like mio's.
    pub fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        match self.0 {}
    }

    /// Like mio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self.0 {}
    }

    /// Like mio's, apart from the type.
    pub fn peer_addr(&self) -> io::Result<()> {
        match self.0 {}
    }
}

impl Read for &UnixStream {
    fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Write for &UnixStream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn write_vectored(&mut self, _vectors: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

macro_rules! nothing {
    ($type:ident) => {
        impl AsSocket for $type {
            fn as_socket(&self) -> BorrowedSocket<'_> {
                match self.0 {}
            }
        }

        impl Source for $type {
            fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
                match self.0 {}
            }

            fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
                match self.0 {}
            }

            fn deregister(&mut self, _: &Registry) -> io::Result<()> {
                match self.0 {}
            }
        }
    };
}

nothing!(UnixStream);
nothing!(UnixListener);
