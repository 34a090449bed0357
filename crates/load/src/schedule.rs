//! When each message of a fixed rate is due, and on which connection.

use std::time::Duration;

const SECOND_NS: u128 = 1_000_000_000;

/// Messages at even intervals, assigned to the connections in turn. Everything is computed, so a backlog takes
/// no memory.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Messages per second over all connections.
    rate: u64,
    connections: u64,
}

impl Schedule {
    /// Makes a schedule of `rate` messages per second over `connections`.
    pub fn new(rate: u64, connections: usize) -> Self {
        Self { rate, connections: connections as u64 }
    }

    /// When message `ordinal` of all is due, after the start.
    pub fn due(&self, ordinal: u64) -> Duration {
        let nanoseconds = u128::from(ordinal) * SECOND_NS;
        let rate = u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanoseconds.div_ceil(rate)).unwrap_or(u64::MAX))
    }

    /// How many messages of all are due at `elapsed` after the start.
    pub fn due_by(&self, elapsed: Duration) -> u64 {
        let messages = elapsed.as_nanos() * u128::from(self.rate) / SECOND_NS;
        u64::try_from(messages).map_or(u64::MAX, |messages| messages.saturating_add(1))
    }

    /// The ordinal among all messages of a connection's `nth` message.
    pub fn ordinal(&self, connection: usize, nth: u64) -> u64 {
        nth * self.connections + connection as u64
    }

    /// The connection that message `ordinal` goes to.
    pub fn connection(&self, ordinal: u64) -> usize {
        (ordinal % self.connections) as usize
    }

    /// How many of the first `total` messages go to `connection`.
    pub fn share(&self, connection: usize, total: u64) -> u64 {
        (total + self.connections - 1 - connection as u64) / self.connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_due_exactly_from_its_time_on() {
        for rate in [1, 3, 7_919, 1_000_000] {
            let schedule = Schedule::new(rate, 10);
            for ordinal in (0..100_000).step_by(997) {
                let due = schedule.due(ordinal);
                assert!(schedule.due_by(due) > ordinal, "{ordinal} at {rate}");
                if let Some(before) = due.checked_sub(Duration::from_nanos(1)) {
                    assert!(schedule.due_by(before) <= ordinal, "{ordinal} at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_second_holds_the_rate() {
        assert_eq!(Schedule::new(1000, 3).due_by(Duration::from_nanos(999_999_999)), 1000);
    }

    #[test]
    fn every_message_belongs_to_one_connection() {
        let schedule = Schedule::new(1000, 3);
        for total in 0..20 {
            let shares: u64 = (0..3).map(|connection| schedule.share(connection, total)).sum();
            assert_eq!(shares, total);
        }
        for ordinal in 0..20 {
            let connection = schedule.connection(ordinal);
            let nth = schedule.share(connection, ordinal);
            assert_eq!(schedule.ordinal(connection, nth), ordinal);
        }
    }
}
