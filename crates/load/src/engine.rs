//! How connections receive and send in a closed loop.

use std::str::FromStr;

/// A way of the kernel to receive and send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A system call for each read and write, after one that reports which sockets are ready.
    Poll,
    /// One system call for everything that is ready, which leaves more CPU time to the server.
    IoUring,
}

impl Engine {
    /// The name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::IoUring => "io_uring",
        }
    }
}

impl FromStr for Engine {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "poll" => Ok(Self::Poll),
            "io_uring" => Ok(Self::IoUring),
            _ => Err("neither io_uring nor poll"),
        }
    }
}
