//! What the load of an echo server came to.

use crate::report::Latencies;
use crate::window::Measured;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Replies in the measured time.
    pub messages: u64,
    /// Their latencies.
    pub latencies: Latencies,
    /// The measured time itself.
    pub measured: Measured,
    /// Messages that were due in it but never sent, because earlier ones were not answered.
    pub backlog: u64,
}
