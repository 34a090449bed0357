//! The measured time: between the warm-up and the end.

use std::time::{Duration, Instant};

use crate::proc::{CpuTime, Process};

/// A warm-up, then the time that counts.
#[derive(Debug)]
pub struct Window {
    /// When the run starts.
    pub start: Instant,
    /// When measuring should begin.
    pub opens: Instant,
    /// When measuring should end.
    pub closes: Instant,
    server: Option<Process>,
    /// When measuring did begin, and the server's CPU time then.
    began: Option<(Instant, Option<CpuTime>)>,
}

/// The measured time.
#[derive(Debug)]
pub struct Measured {
    /// How long it really was.
    pub time: Duration,
    /// The server's CPU time in it.
    pub cpu: Option<Duration>,
    /// The server's resident memory at its end.
    pub rss_kb: Option<u64>,
}

impl Window {
    /// Starts a run now.
    pub fn new(warmup: Duration, length: Duration, server: Option<Process>) -> Self {
        let start = Instant::now();
        let opens = start + warmup;
        Self { start, opens, closes: opens + length, server, began: None }
    }

    /// Whether what happens now counts.
    pub fn is_measuring(&self) -> bool {
        self.began.is_some()
    }

    /// Begins measuring when the time has come; false after the end.
    pub fn advance(&mut self, now: Instant) -> bool {
        if self.began.is_none() && now >= self.opens {
            self.began = Some((now, self.cpu()));
        }
        now < self.closes
    }

    /// How long until `advance` has something to do.
    pub fn rest(&self, now: Instant) -> Duration {
        let next = if self.is_measuring() { self.closes } else { self.opens };
        next.saturating_duration_since(now)
    }

    /// Ends the measuring.
    pub fn end(&self) -> Measured {
        let now = Instant::now();
        let (began, earlier) = match &self.began {
            Some((began, cpu)) => (*began, cpu.as_ref()),
            None => (now, None),
        };
        let later = self.cpu();
        let cpu = earlier.zip(later).map(|(earlier, later)| later.since(earlier));
        let rss_kb = self.server.as_ref().and_then(Process::rss_kb);
        Measured { time: now - began, cpu, rss_kb }
    }

    fn cpu(&self) -> Option<CpuTime> {
        self.server.as_ref().and_then(Process::cpu)
    }
}
