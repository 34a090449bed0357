//! How connections receive and send in a closed loop.

use std::str::FromStr;

/// One of the kernel's ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A system call for each read and write, after one that tells who is ready.
    Poll,
    /// One system call for all that is ready: it leaves more of the CPUs to the server.
    IoUring,
}

impl Engine {
    /// As the command line and the report spell it.
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
