//! The settings that the connections of one listener, or of one dial, have in common.

use crate::framing::Framing;
use crate::service::Service;
use crate::transport::SocketOptions;
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
    /// Options of its socket.
    pub socket: SocketOptions,
}

/// What a connection needs to know about where it came from: a listener or a dial.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The number that the user gave to the listener or the dial.
    pub(crate) id: u32,
    pub(crate) framing: Framing,
    pub(crate) options: ConnectionOptions,
    /// The server that counts the connection. A dialled connection has none.
    pub(crate) service: Option<Arc<Service>>,
}
