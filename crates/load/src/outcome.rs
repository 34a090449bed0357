//! The result of a run against an echo server.

use crate::report::Latencies;
use crate::window::Measured;

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Replies in the measured time.
    pub messages: u64,
    /// Their latencies.
    pub latencies: Latencies,
    /// The measured time itself.
    pub measured: Measured,
    /// Messages that were due in that time and never sent, because earlier ones were not answered.
    pub backlog: u64,
}
