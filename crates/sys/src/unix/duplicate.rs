//! Listening sockets that this process passes to another.

use socket2::Socket;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

/// Another descriptor of a listening socket. Closed when dropped.
#[derive(Debug)]
pub struct Duplicate(OwnedFd);

impl Duplicate {
    /// Makes another descriptor of the same socket, which child processes do not inherit.
    ///
    /// # Errors
    /// Those of `fcntl(2)`, such as `EMFILE`.
    pub fn of(socket: &Socket) -> io::Result<Self> {
        socket.as_fd().try_clone_to_owned().map(Self)
    }

    /// The number of the descriptor.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.as_raw_fd().cast_unsigned()
    }

    /// Leaves the descriptor open for the one who was told its number.
    pub fn give(self) {
        let _ = self.0.into_raw_fd();
    }
}
