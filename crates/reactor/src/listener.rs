//! What the connections of a listener have in common.

use crate::framing::Framing;
use crate::options::SocketOptions;
use crate::service::Service;
use std::sync::Arc;
use std::time::Duration;

/// What the connections of a listener are held to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Output over this many bytes pauses reading, where `auto_pause` says so; half of it resumes.
    pub high_water: usize,
    /// Stop reading a connection whose output is over `high_water`.
    pub auto_pause: bool,
    /// Keep the connection after the peer's FIN, and deliver messages after our own.
    pub allow_half_open: bool,
    /// How long an ended connection may take to flush and to see the peer's FIN.
    pub linger: Duration,
    /// Options of its sockets.
    pub socket: SocketOptions,
}

/// What a connection needs to know of where it came from: a listener, or a dial.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: u32,
    pub(crate) framing: Framing,
    pub(crate) limits: Limits,
    /// The server that counts its connections. A dial has none.
    pub(crate) service: Option<Arc<Service>>,
}

impl Listener {
    /// One of its connections is gone.
    pub(crate) fn release(&self) {
        if let Some(service) = &self.service {
            service.release();
        }
    }
}
