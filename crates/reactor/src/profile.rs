//! The settings that the connections of one listener, or of one dial, have in common.

use crate::framing::Framing;
use crate::proxy::ProxyProtocol;
use crate::service::Service;
use crate::transport::SocketOptions;
use millrace_ring::record::{self, timeouts};
use std::sync::Arc;
use std::time::Duration;

/// How a connection behaves, apart from its framing.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// Queued output above this many bytes pauses reading, if `auto_pause` is set; half of it resumes.
    pub high_water: usize,
    /// Stop reading a connection whose queued output is above `high_water`.
    pub auto_pause: bool,
    /// How long a connection may close without progress.
    pub linger: Duration,
    /// Its limits in time.
    pub timeouts: Timeouts,
    /// Options of its socket.
    pub socket: SocketOptions,
}

/// Limits in time of a connection, in milliseconds; 0 is no limit.
///
/// `idle`, `receive`, `first_message` and `frame` stand still while we do not read: while the connection is
/// paused, while `auto_pause` stops it, and while the ring is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// No byte either way. The user is asked before the connection closes.
    pub idle: u32,
    /// No byte received. The user is asked before the connection closes.
    pub receive: u32,
    /// From the opening until the first whole message.
    pub first_message: u32,
    /// From the first byte of a message until its last.
    pub frame: u32,
    /// Output waits and the kernel takes nothing of it.
    pub write: u32,
    /// From the opening until the connection is drained. Each connection gets up to a tenth more, at random.
    pub max_lifetime: u32,
}

impl Timeouts {
    /// Reads the payload of a `TIMEOUTS` record.
    pub(crate) fn decode(payload: &[u8]) -> Self {
        let word = |at| record::word(payload, at);
        Self {
            idle: word(timeouts::IDLE),
            receive: word(timeouts::RECEIVE),
            first_message: word(timeouts::FIRST_MESSAGE),
            frame: word(timeouts::FRAME),
            write: word(timeouts::WRITE),
            max_lifetime: word(timeouts::MAX_LIFETIME),
        }
    }

    /// Whether there is any limit.
    pub(crate) fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// What a connection needs to know about where it came from: a listener or a dial.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// The number that the user gave to the listener or the dial.
    pub(crate) id: u32,
    pub(crate) framing: Framing,
    pub(crate) options: ConnectionOptions,
    /// Whose connections begin with a PROXY header. `None` for a dial, and for a listener without such.
    pub(crate) proxy: Option<ProxyProtocol>,
    /// The server that the connection belongs to. A dialled connection has none.
    pub(crate) service: Option<Arc<Service>>,
}

impl Profile {
    /// The same for a connection that goes on under another framing.
    pub(crate) fn with_framing(&self, framing: Framing) -> Self {
        Self { framing, ..self.clone() }
    }
}
