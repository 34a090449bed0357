//! The flood-and-quiet command: how a flooding connection affects a quiet one.

use std::time::Instant;

use crate::alarm::Alarm;
use crate::closed_loop::replies;
use crate::crowd::{Crowd, Manner};
use crate::options::{Failure, Options};
use crate::pattern::Framing;
use crate::report::{Latencies, Object, per_second};
use crate::schedule::Schedule;

/// The quiet connection sends every 5 ms.
const QUIET_RATE: u64 = 200;
const QUIET: usize = 0;
const FLOOD: usize = 1;

/// Runs the command and returns the number of errors.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let manner = Manner {
        framing: options.or("--framing", Framing::Raw)?,
        size: options.count("--size", 64)?,
        depth: options.count("--depth", 4096)?,
        check: options.or("--check", true)?,
        spread: 1,
    };
    let length = options.seconds("--seconds", 3.0)?;
    let mut crowd = Crowd::from_options(&mut options, &manner)?;
    options.end()?;

    crowd.open(2)?;
    let message = crowd.message_bytes();
    let ahead = manner.depth as u64 * message;
    let schedule = Schedule::new(QUIET_RATE, 1);
    let alarm = Alarm::new(crowd.registry())?;
    let mut quiet = Latencies::new();
    let mut flooded = 0;
    let start = Instant::now();
    // Latencies count from when a message was due, so a late message also counts against the next ones.
    let mut hear_quiet = |received: u64, count: u64| {
        let now = Instant::now();
        for nth in (received - count) / message..received / message {
            let due = start + schedule.due(nth - 1); // the one before the first was the opening
            quiet.record(now.saturating_duration_since(due), 1);
        }
    };

    crowd.ask(FLOOD, |_| message + ahead);
    while start.elapsed() < length && crowd.open_count() == 2 {
        let due = schedule.due_by(start.elapsed());
        crowd.ask(QUIET, |_| (1 + due) * message);
        let next = start + schedule.due(due).min(length);
        let rest = next.saturating_duration_since(Instant::now());
        alarm.set(rest)?;
        crowd.turn(Some(rest), |index, connection, count| {
            let received = connection.received();
            if index == QUIET {
                hear_quiet(received, count);
            } else {
                flooded += replies(received, count, message);
                connection.ask(received / message * message + ahead);
            }
        })?;
    }
    let time = start.elapsed();
    crowd.settle(0, |index, connection, count| {
        if index == QUIET {
            hear_quiet(connection.received(), count);
        }
    })?;

    let quiet = Object::default()
        .with("count", quiet.count())
        .with("p50_us", quiet.quantile_us(0.5))
        .with("p99_us", quiet.quantile_us(0.99))
        .with("max_us", quiet.max_us());
    let flood =
        Object::default().with("messages", flooded).with("throughput", per_second(flooded, time));
    let errors = crowd.error_count();
    println!(
        "{}",
        Object::default().with("quiet", quiet).with("flood", flood).with("errors", errors)
    );
    Ok(errors)
}
