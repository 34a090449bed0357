//! The fixed rate: the clock decides when messages are due, whatever the server does.

use std::io;
use std::time::Instant;

use crate::alarm::Alarm;
use crate::closed_loop::replies;
use crate::crowd::Crowd;
use crate::outcome::Outcome;
use crate::report::Latencies;
use crate::schedule::Schedule;
use crate::window::Window;

/// Sends by `schedule` over `connections`, at most `depth` in flight on each, until the window
/// closes. A latency counts from when the message was due, also while it waits for its turn.
pub fn run(
    crowd: &mut Crowd,
    connections: usize,
    depth: u64,
    schedule: Schedule,
    window: &mut Window,
) -> io::Result<Outcome> {
    let message = crowd.message_bytes();
    let alarm = Alarm::new(crowd.registry())?;
    let mut recorder = Recorder { latencies: Latencies::new(), schedule, message };
    let mut messages = 0;
    let mut due = 0;
    // The first message of a connection, which opens it, is not in the schedule.
    let goal = |index: usize, received: u64, due: u64| {
        (1 + schedule.share(index, due)).min(received / message + depth) * message
    };

    loop {
        let now = Instant::now();
        if !window.advance(now) || crowd.open_count() == 0 {
            break;
        }
        let earlier = due;
        due = schedule.due_by(now - window.start);
        // After a long turn several messages of a connection may be due; it is asked for all at once.
        for ordinal in earlier.max(due.saturating_sub(connections as u64))..due {
            let index = schedule.connection(ordinal);
            crowd.ask(index, |connection| goal(index, connection.received(), due));
        }
        let next = (window.start + schedule.due(due)).min(now + window.rest(now));
        let rest = next.saturating_duration_since(Instant::now());
        alarm.set(rest)?;
        let measuring = window.is_measuring();
        crowd.turn(Some(rest), |index, connection, count| {
            recorder.record(index, connection.received(), count, window);
            if measuring {
                messages += replies(connection.received(), count, message);
            }
            connection.ask(goal(index, connection.received(), due));
        })?;
    }
    let measured = window.end();
    crowd.settle(0, |index, connection, count| {
        recorder.record(index, connection.received(), count, window);
    })?;
    let backlog = (0..connections)
        .filter_map(|index| Some((index, crowd.received(index)?)))
        .map(|(index, received)| recorder.record_unsent(index, received, window))
        .sum();
    Ok(Outcome { messages, latencies: recorder.latencies, measured, backlog })
}

/// Records the latencies of the messages that were due in the measured time.
struct Recorder {
    latencies: Latencies,
    schedule: Schedule,
    message: u64,
}

impl Recorder {
    /// Records what the last `count` of `received` bytes completed.
    fn record(&mut self, index: usize, received: u64, count: u64, window: &Window) {
        let now = Instant::now();
        for nth in (received - count) / self.message..received / self.message {
            let due = self.due(index, nth, window);
            if due >= window.opens && due < window.closes {
                self.latencies.record(now.saturating_duration_since(due), 1);
            }
        }
    }

    /// Records messages that were due and never sent with the age that they reached, so that a server which falls
    /// behind cannot hide that. Returns how many there were.
    fn record_unsent(&mut self, index: usize, received: u64, window: &Window) -> u64 {
        let mut unsent = 0;
        for nth in received / self.message.. {
            let due = self.due(index, nth, window);
            if due >= window.closes {
                break;
            }
            if due >= window.opens {
                self.latencies.record(window.closes - due, 1);
                unsent += 1;
            }
        }
        unsent
    }

    /// When a connection's `nth` message was due; the one before the first was its opening.
    fn due(&self, index: usize, nth: u64, window: &Window) -> Instant {
        window.start + self.schedule.due(self.schedule.ordinal(index, nth - 1))
    }
}
