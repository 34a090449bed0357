//! What a datagram socket counts, dropped datagrams included. Written by the loop, read by anyone.

use crate::stats::Counter;

/// The counts of a datagram socket at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatagramCounts {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Bytes received.
    pub bytes_read: u64,
    /// Bytes that the kernel took.
    pub bytes_written: u64,
    /// Datagrams that were cut.
    pub truncated: u64,
    /// System calls that failed.
    pub errors: u64,
    /// Datagrams that the kernel dropped for lack of room, on systems that count them.
    pub dropped: u64,
}

/// The counts of a datagram socket.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) bytes_read: Counter,
    pub(super) bytes_written: Counter,
    pub(super) truncated: Counter,
    pub(super) errors: Counter,
    /// What the kernel had dropped when the socket closed.
    dropped_at_close: Counter,
    /// Bytes and costs of what was sent, or given up.
    pub(super) done: Counter,
}

impl Counts {
    /// The counts so far; `socket` is `None` once it is closed.
    pub(super) fn totals(&self, socket: Option<&socket2::Socket>) -> DatagramCounts {
        DatagramCounts {
            received: self.received.get(),
            sent: self.sent.get(),
            bytes_read: self.bytes_read.get(),
            bytes_written: self.bytes_written.get(),
            truncated: self.truncated.get(),
            errors: self.errors.get(),
            dropped: socket.map_or_else(|| self.dropped_at_close.get(), dropped),
        }
    }

    /// Keeps what the kernel has dropped by now, because the socket is about to close.
    pub(super) fn note_dropped(&self, socket: &socket2::Socket) {
        self.dropped_at_close.add(dropped(socket));
    }
}

fn dropped(socket: &socket2::Socket) -> u64 {
    millrace_sys::datagrams::dropped(socket).unwrap_or(0).into()
}
