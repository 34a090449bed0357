//! A datagram socket in the list of its environment.

use millrace_reactor::{BoundDatagramSocket, DatagramHandle};
use std::sync::Arc;

/// A datagram socket of an environment: on a loop, or not given to one yet.
pub(crate) struct DatagramEntry {
    /// `None` once a loop has the socket.
    pub(crate) bound: Option<BoundDatagramSocket>,
    pub(crate) handle: Arc<DatagramHandle>,
}
