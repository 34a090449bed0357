//! The churn command: connections that open, send one message and close, round after round.
//!
//! The end that closes first keeps its port in `TIME_WAIT`. `SO_LINGER` 0 does not help: once the server's
//! FIN has come, the socket is in `TIME_WAIT` already, and before that it would turn the graceful close into
//! a reset. It helps to let `connect` choose the port: on the loopback, Linux reuses a port after a second in
//! `TIME_WAIT` if the socket was not bound before, so fewer than the 28,000 ephemeral ports of one address are
//! in use and none is ever missing. Bound sockets block their ports for a minute, so this command has no
//! `--spread`.

use std::time::Instant;

use crate::crowd::{Crowd, Manner};
use crate::options::{Failure, Options};
use crate::pattern::Framing;
use crate::proc::Process;
use crate::report::{Object, per_second};

/// How many connections are open at once.
const AT_ONCE: usize = 500;

/// Runs the command and returns the number of errors.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let rounds = options.count("--rounds", 10)?;
    let connections = options.count("--connections", 1000)?;
    let server: Option<Process> = options.optional("--pid")?;
    let framing = options.or("--framing", Framing::Raw)?;
    let manner = Manner { framing, size: 64, depth: 1, check: true, spread: 1 };
    let mut crowd = Crowd::from_options(&mut options, &manner)?;
    options.end()?;

    for round in 1..=rounds {
        let start = Instant::now();
        let mut done = 0;
        while done < connections {
            let some = AT_ONCE.min(connections - done);
            crowd.open(some)?;
            crowd.close(some)?;
            done += some;
        }
        let line = Object::default()
            .with("round", round)
            .with("connections", connections)
            .with("connects_per_second", per_second(connections as u64, start.elapsed()))
            .with_optional("rss_kb", server.as_ref().and_then(Process::rss_kb))
            .with("errors", crowd.error_count());
        println!("{line}");
    }
    Ok(crowd.error_count())
}
