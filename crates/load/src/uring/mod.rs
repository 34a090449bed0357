//! Receives and sends of many connections, submitted to the kernel in one system call.
//!
//! `linux.rs` uses io_uring; on other systems the type has no values.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod platform;

use std::io;

pub use platform::{Reply, Uring};

/// What the kernel has done for a connection.
#[derive(Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no ring that would do it, but a match that hears of it")
)]
pub enum Done {
    /// Bytes came, in a buffer that has to be given back.
    Received(Reply),
    /// That many bytes were sent.
    Sent(usize),
    /// The server closed the stream.
    Ended,
    /// Receiving or sending failed.
    Failed(io::Error),
}
