//! The load generator of millrace's benchmarks: it drives an echo server over TCP, a Unix socket or UDP, checks
//! every byte that comes back, and prints its measurements as JSON.

#![deny(unsafe_code)]

mod alarm;
mod attack;
mod attacker;
mod attackers;
mod churn;
mod closed_loop;
mod connection;
mod crowd;
mod datagrams;
mod echo;
mod engine;
mod fairness;
mod fault;
mod fixed_rate;
mod floor;
mod flow;
mod idle;
mod listener;
mod options;
mod order;
mod outcome;
mod pace;
mod pattern;
mod proc;
mod report;
mod schedule;
mod stream;
mod target;
mod uring;
mod window;

use std::process::ExitCode;

use options::{Failure, Options};

const USAGE: &str = "\
usage: millrace-load COMMAND [OPTIONS]

  echo             messages per second, latency and server CPU of an echo server
    --address A [--connections 100] [--size 64] [--depth 1] [--framing raw|length]
    [--seconds 3] [--warmup 0.5] [--rate MESSAGES_PER_SECOND] [--pid PID]
    [--check true|false] [--spread 1] [--engine io_uring|poll]
  floor            the plainest mio echo server, the upper bound of the table
    [--address 127.0.0.1:0] [--hosts 1]
  idle             holds connections; reads `open K`, `close K`, `close all`, `quit` from stdin
    --address A [--connections 0] [--step CONNECTIONS] [--framing raw|length] [--pid PID]
    [--spread 1]
  churn            rounds of connecting, one echo and closing
    --address A [--rounds 10] [--connections 1000] [--framing raw|length] [--pid PID]
  flood-and-quiet  latency of a quiet connection beside one that floods
    --address A [--size 64] [--framing raw|length] [--depth 4096] [--seconds 3]
    [--check true|false]
  udp              answered datagrams per second, losses, latency and server CPU of a UDP echo
    --address IP:PORT [--peers 64] [--depth 8] [--size 64] [--seconds 3] [--warmup 0.5] [--pid PID]
  attack           clients that mean no good, until `quit` or the end of stdin; `counts` says what they did
    --kind slow-loris|never-read|connect-reset --address 127.0.0.1:PORT [--connections 100]
    [--rate CONNECTS_PER_SECOND] [--reply 65536] [--spread 1]

--hosts listens on so many addresses, counted up from that of A, on one port.
A is ip:port or unix:/path. --spread binds the connections in turn to 127.0.0.1 to 127.0.0.N.
--engine is how a closed loop receives and sends: io_uring where the kernel allows it, else poll.
exit code: 0 all came back as sent, 1 errors, 2 wrong usage";

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(errors) => {
            eprintln!("millrace-load: {errors} errors");
            ExitCode::from(1)
        }
        Err(Failure::Run(error)) => {
            eprintln!("millrace-load: {error}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("millrace-load: {message}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs the command named on the command line and returns how many errors it met.
fn run() -> Result<u64, Failure> {
    let mut options = Options::from_environment();
    if options.wants_help() {
        println!("{USAGE}");
        return Ok(0);
    }
    match options.command()?.as_str() {
        "echo" => echo::run(options),
        "floor" => floor::run(options),
        "idle" => idle::run(options),
        "churn" => churn::run(options),
        "flood-and-quiet" => fairness::run(options),
        "udp" => datagrams::run(options),
        "attack" => attack::run(options),
        other => Err(Failure::Usage(format!("no command is called '{other}'"))),
    }
}
