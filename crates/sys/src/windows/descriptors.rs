//! Descriptors that processes hand to each other, which Windows has otherwise: not here.

use socket2::Socket;
use std::convert::Infallible;
use std::io;

/// A number that nobody else in this process can take over: there is nothing to take over.
#[derive(Debug)]
pub struct Claim(());

impl Claim {
    /// Of a listening socket of our own.
    #[must_use]
    pub fn of(_socket: &Socket) -> Self {
        Self(())
    }
}

/// Takes a listening socket over.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn adopt_listener(
    _descriptor: u32,
    _prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<(Socket, Claim)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Another descriptor of a listening socket.
#[derive(Debug)]
pub struct Duplicate(Infallible);

impl Duplicate {
    /// Another descriptor.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn of(_socket: &Socket) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What it is known by.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self.0 {}
    }

    /// Leaves it to whoever was told its number.
    pub fn give(self) {
        match self.0 {}
    }
}
