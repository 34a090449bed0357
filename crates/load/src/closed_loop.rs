//! The closed loop: a connection sends its next batch when the last one has come back.

use std::io;
use std::time::Instant;

use crate::crowd::Crowd;
use crate::outcome::Outcome;
use crate::report::Latencies;
use crate::window::Window;

/// Keeps `depth` messages in flight on each of `connections` until the window closes.
pub fn run(
    crowd: &mut Crowd,
    connections: usize,
    depth: u64,
    window: &mut Window,
) -> io::Result<Outcome> {
    let message = crowd.message_bytes();
    let batch = depth * message;
    let mut sent_at = vec![Instant::now(); connections];
    let mut latencies = Latencies::new();
    let mut messages = 0;

    for (index, sent_at) in sent_at.iter_mut().enumerate() {
        *sent_at = Instant::now();
        crowd.ask(index, |connection| connection.received() + batch);
    }
    loop {
        let now = Instant::now();
        if !window.advance(now) || crowd.open_count() == 0 {
            break;
        }
        let measuring = window.is_measuring();
        crowd.turn(Some(window.rest(now)), |index, connection, count| {
            let now = Instant::now();
            let sent_at = &mut sent_at[index];
            if measuring {
                let replies = replies(connection.received(), count, message);
                latencies.record(now - *sent_at, replies);
                messages += replies;
            }
            if connection.missing() == 0 {
                connection.ask(connection.received() + batch);
                *sent_at = now;
            }
        })?;
    }
    let measured = window.end();
    crowd.settle(0, |_, _, _| {})?;
    Ok(Outcome { messages, latencies, measured, backlog: 0 })
}

/// How many messages the last `count` of `received` bytes completed.
pub fn replies(received: u64, count: u64, message: u64) -> u64 {
    received / message - (received - count) / message
}
