//! Passing descriptors between processes, which works differently on Windows and is not supported here.

use socket2::Socket;
use std::convert::Infallible;
use std::io;

/// A claim on a descriptor. Nothing can be taken over here, so it claims nothing.
#[derive(Debug)]
pub struct Claim(());

impl Claim {
    /// Claims the descriptor of a listening socket of our own.
    #[must_use]
    pub fn of(_socket: &Socket) -> Self {
        Self(())
    }
}

/// Takes over a listening socket.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn adopt_listener(
    _descriptor: u32,
    _prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<(Socket, Claim)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Another descriptor of a listening socket. There are no values of this type here.
#[derive(Debug)]
pub struct Duplicate(Infallible);

impl Duplicate {
    /// Makes another descriptor of the same socket.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn of(_socket: &Socket) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The number of the descriptor.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self.0 {}
    }

    /// Leaves the descriptor open for the one who was told its number.
    pub fn give(self) {
        match self.0 {}
    }
}
