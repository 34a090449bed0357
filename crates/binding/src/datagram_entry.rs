//! A datagram socket as its environment keeps it.

use millrace_reactor::{BoundDatagrams, DatagramShare};
use std::sync::Arc;

/// A datagram socket of an environment: on a loop, or still to be given to one.
pub(crate) struct DatagramEntry {
    /// Until a loop has it.
    pub(crate) bound: Option<BoundDatagrams>,
    pub(crate) share: Arc<DatagramShare>,
}
