//! What a loop has to tell its user beside data: state, told as soon as the ring has room, and never lost.
//!
//! [`SocketNotices`] are about one connection or datagram socket; a [`LoopNotice`] is about none.

mod loop_notice;
mod socket;

pub(crate) use loop_notice::LoopNotice;
pub(crate) use socket::{AskedTimeouts, Closing, Opening, SocketNotices};

use millrace_ring::record::reason;
use std::io;

/// Why a socket, or its input, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    /// One of the ring's `reason`s.
    pub(crate) reason: u32,
    /// The system's error number, with `reason::SYSTEM`.
    pub(crate) errno: i32,
}

impl Cause {
    /// It ended in good order.
    pub(crate) const NONE: Self = Self { reason: reason::NONE, errno: 0 };

    pub(crate) fn of(reason: u32) -> Self {
        Self { reason, errno: 0 }
    }

    pub(crate) fn system(error: &io::Error) -> Self {
        Self { reason: reason::SYSTEM, errno: error.raw_os_error().unwrap_or(0) }
    }

    /// Whether the write that failed says that the peer had ended its half before, so that the input may be whole.
    pub(crate) fn is_after_end(self) -> bool {
        self.reason == reason::SYSTEM
            && io::Error::from_raw_os_error(self.errno).kind() == io::ErrorKind::BrokenPipe
    }
}
