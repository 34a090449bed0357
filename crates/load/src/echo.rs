//! The echo command: messages per second, their latency, and their cost to the server.

use std::num::NonZeroU64;

use crate::closed_loop;
use crate::crowd::{Crowd, Manner};
use crate::engine::Engine;
use crate::fixed_rate;
use crate::options::{Failure, Options};
use crate::outcome::Outcome;
use crate::pattern::Framing;
use crate::report::{Fixed, Object, per_second};
use crate::schedule::Schedule;
use crate::window::Window;

/// Runs the command and returns the number of errors.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let connections = options.count("--connections", 100)?;
    let manner = Manner {
        framing: options.or("--framing", Framing::Raw)?,
        size: options.count("--size", 64)?,
        depth: options.count("--depth", 1)?,
        check: options.or("--check", true)?,
        spread: options.count("--spread", 1)?,
    };
    let length = options.seconds("--seconds", 3.0)?;
    let warmup = options.seconds("--warmup", 0.5)?;
    let rate: Option<NonZeroU64> = options.optional("--rate")?;
    let server = options.optional("--pid")?;
    let engine: Option<Engine> = options.optional("--engine")?;
    if rate.is_some() && engine == Some(Engine::IoUring) {
        return Err(Failure::Usage(
            "--engine io_uring is for a closed loop, without --rate".to_owned(),
        ));
    }
    let mut crowd = Crowd::from_options(&mut options, &manner)?;
    options.end()?;

    crowd.open(connections)?;
    let mut window = Window::new(warmup, length, server);
    let depth = manner.depth as u64;
    let mut used = Engine::Poll;
    let outcome = match rate {
        None => {
            used = crowd.choose(engine)?;
            closed_loop::run(&mut crowd, connections, depth, &mut window)?
        }
        Some(rate) => {
            let schedule = Schedule::new(rate.get(), connections);
            fixed_rate::run(&mut crowd, connections, depth, schedule, &mut window)?
        }
    };
    // A server that never answers must fail the run.
    let silence = u64::from(outcome.messages == 0);
    let errors = crowd.error_count() + silence;
    println!("{}", report(&outcome, &manner, connections, used, rate, errors));
    Ok(errors)
}

fn report(
    outcome: &Outcome,
    manner: &Manner,
    connections: usize,
    engine: Engine,
    rate: Option<NonZeroU64>,
    errors: u64,
) -> Object {
    let Outcome { messages, latencies, measured, backlog } = outcome;
    let cpu_us_per_message = measured
        .cpu
        .filter(|_| *messages > 0)
        .map(|cpu| Fixed(cpu.as_secs_f64() * 1e6 / *messages as f64, 4));
    Object::default()
        .with("messages", messages)
        .with("seconds", Fixed(measured.time.as_secs_f64(), 6))
        .with("throughput", per_second(*messages, measured.time))
        .with("p50_us", latencies.quantile_us(0.5))
        .with("p99_us", latencies.quantile_us(0.99))
        .with("p999_us", latencies.quantile_us(0.999))
        .with("max_us", latencies.max_us())
        .with("errors", errors)
        .with_optional("cpu_us_per_message", cpu_us_per_message)
        .with_optional("rss_kb", measured.rss_kb)
        .with("connections", connections)
        .with("size", manner.size)
        .with("depth", manner.depth)
        .with_word("framing", manner.framing.name())
        .with_word("engine", engine.name())
        .with_optional("rate", rate)
        .with("backlog", backlog)
}
