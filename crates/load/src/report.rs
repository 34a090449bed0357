//! The report at the end: latencies in microseconds, as JSON.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Longer latencies than a minute are recorded as a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// The latencies of a run, to three significant digits.
#[derive(Debug)]
pub struct Latencies {
    nanoseconds: Histogram<u64>,
}

impl Latencies {
    /// Makes an empty record of latencies.
    pub fn new() -> Self {
        let nanoseconds =
            Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order");
        Self { nanoseconds }
    }

    /// Records that `count` messages took `latency`.
    pub fn record(&mut self, latency: Duration, count: u64) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NS);
        self.nanoseconds.saturating_record_n(nanoseconds, count);
    }

    /// How many messages were recorded.
    pub fn count(&self) -> u64 {
        self.nanoseconds.len()
    }

    /// The latency that the fraction `quantile` of all messages did not exceed.
    pub fn quantile_us(&self, quantile: f64) -> impl Display {
        Fixed(self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3, 1)
    }

    /// The longest latency.
    pub fn max_us(&self) -> impl Display {
        Fixed(self.nanoseconds.max() as f64 / 1e3, 1)
    }
}

/// A number with so many digits after the decimal point.
#[derive(Debug)]
pub struct Fixed(pub f64, pub usize);

impl Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*}", self.1, self.0)
    }
}

/// Converts a count in a time to a rate per second.
pub fn per_second(count: u64, time: Duration) -> Fixed {
    let seconds = time.as_secs_f64();
    Fixed(if seconds > 0.0 { count as f64 / seconds } else { 0.0 }, 1)
}

/// A JSON object, written member by member. Its names and words are known and need no escapes.
#[derive(Debug, Default)]
pub struct Object {
    members: String,
}

impl Object {
    /// Adds a number or an object.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        let comma = if self.members.is_empty() { "" } else { "," };
        write!(self.members, "{comma}\"{name}\":{value}").expect("a string takes all");
        self
    }

    /// Adds a number, or null.
    pub fn with_optional(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self.with(name, "null"),
        }
    }

    /// Adds a string.
    pub fn with_word(self, name: &str, word: &str) -> Self {
        self.with(name, format_args!("\"{word}\""))
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_json() {
        let object = Object::default()
            .with("count", 3)
            .with("rate", per_second(5, Duration::from_secs(2)))
            .with_optional("rss_kb", None::<u64>)
            .with_word("framing", "raw")
            .with("inner", Object::default().with_optional("cpu", Some(1)));
        assert_eq!(
            object.to_string(),
            r#"{"count":3,"rate":2.5,"rss_kb":null,"framing":"raw","inner":{"cpu":1}}"#
        );
    }

    #[test]
    fn a_rate_over_no_time_is_zero() {
        assert_eq!(per_second(5, Duration::ZERO).to_string(), "0.0");
    }

    #[test]
    fn quantiles_are_told_in_microseconds() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_micros(10), 99);
        latencies.record(Duration::from_micros(500), 1);
        assert_eq!(latencies.count(), 100);
        assert_eq!(latencies.quantile_us(0.5).to_string(), "10.0");
        assert_eq!(latencies.max_us().to_string(), "500.2");
    }

    #[test]
    fn a_latency_beyond_the_longest_is_kept_as_the_longest() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_secs(3600), 1);
        assert_eq!(latencies.count(), 1);
    }
}
