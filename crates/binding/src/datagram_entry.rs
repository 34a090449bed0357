//! A datagram socket as its environment keeps it.

use millrace_reactor::{BoundDatagramSocket, DatagramHandle};
use std::sync::Arc;

/// A datagram socket of an environment: on a loop, or still to be given to one.
pub(crate) struct DatagramEntry {
    /// Until a loop has it.
    pub(crate) bound: Option<BoundDatagramSocket>,
    pub(crate) handle: Arc<DatagramHandle>,
}
