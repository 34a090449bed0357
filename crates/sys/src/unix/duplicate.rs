//! Listening sockets that this process gives to another.

use socket2::Socket;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

/// Another descriptor of a listening socket; closed if nobody is given it.
#[derive(Debug)]
pub struct Duplicate(OwnedFd);

impl Duplicate {
    /// Another descriptor of the same socket, which does not pass to processes that are started.
    ///
    /// # Errors
    /// Those of `fcntl(2)`, such as `EMFILE`.
    pub fn of(socket: &Socket) -> io::Result<Self> {
        socket.as_fd().try_clone_to_owned().map(Self)
    }

    /// What it is known by.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.as_raw_fd().cast_unsigned()
    }

    /// Leaves it to whoever was told its number.
    pub fn give(self) {
        let _ = self.0.into_raw_fd();
    }
}
