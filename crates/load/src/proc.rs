//! What Linux reports about the server's process: CPU time and resident memory.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The unit of utime and stime in `stat`: Linux reports them in 1/100 s.
const TICK: Duration = Duration::from_millis(10);
/// utime and stime are rounded to a tick each, at the start and at the end.
const ROUNDING: Duration = TICK.saturating_mul(4);

/// The process under test. Its values are missing once it has ended.
#[derive(Debug, Clone)]
pub struct Process {
    folder: PathBuf,
}

impl Process {
    /// The process's resident memory, in kB.
    pub fn rss_kb(&self) -> Option<u64> {
        parse_rss(&fs::read_to_string(self.folder.join("status")).ok()?)
    }

    /// The CPU time it has used.
    pub fn cpu(&self) -> Option<CpuTime> {
        let total = parse_stat(&fs::read_to_string(self.folder.join("stat")).ok()?)?;
        let mut threads = HashMap::new();
        for task in fs::read_dir(self.folder.join("task")).ok()?.flatten() {
            // A thread may end between the listing and the reading.
            let Ok(schedstat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            if let Some(time) = parse_schedstat(&schedstat) {
                threads.insert(task.file_name().to_string_lossy().into_owned(), time);
            }
        }
        Some(CpuTime { total, threads })
    }
}

impl FromStr for Process {
    type Err = String;

    fn from_str(pid: &str) -> Result<Self, Self::Err> {
        let number: u32 = pid.parse().map_err(|_| "not a process id".to_owned())?;
        let folder = PathBuf::from(format!("/proc/{number}"));
        if folder.exists() { Ok(Self { folder }) } else { Err("no such process".to_owned()) }
    }
}

/// The CPU time of a process at one moment.
#[derive(Debug, Clone)]
pub struct CpuTime {
    /// The time of all threads, including those that ended, in ticks.
    total: Duration,
    /// The time of each living thread, in nanoseconds.
    threads: HashMap<String, Duration>,
}

impl CpuTime {
    /// The time used since `earlier`.
    pub fn since(&self, earlier: &Self) -> Duration {
        let coarse = self.total.saturating_sub(earlier.total);
        let ended = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        let fine: Duration = self
            .threads
            .iter()
            .map(|(thread, time)| {
                time.saturating_sub(earlier.threads.get(thread).copied().unwrap_or_default())
            })
            .sum();
        // A thread that came and went in between shows only in the total.
        if ended || coarse > fine + ROUNDING { coarse } else { fine }
    }
}

fn parse_rss(status: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn parse_stat(stat: &str) -> Option<Duration> {
    // The second field is the name in parentheses, and a name may contain parentheses and spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

fn parse_schedstat(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().map(Duration::from_nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(total_ms: u64, threads: &[(&str, u64)]) -> CpuTime {
        let threads = threads
            .iter()
            .map(|(thread, ms)| ((*thread).to_owned(), Duration::from_millis(*ms)))
            .collect();
        CpuTime { total: Duration::from_millis(total_ms), threads }
    }

    #[test]
    fn stat_is_read_past_any_process_name() {
        let stat = "7 (a) b 1 2) S 1 1 1 0 -1 4194304 302 325 0 1 40 2 0 0 20 0 1 0 71761";
        assert_eq!(parse_stat(stat), Some(Duration::from_millis(420)));
    }

    #[test]
    fn rss_is_read_from_status() {
        assert_eq!(parse_rss("Name:\tnode\nVmRSS:\t   3132 kB\nThreads:\t1\n"), Some(3132));
        assert_eq!(parse_rss("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn living_threads_are_summed_in_nanoseconds() {
        let (start, end) = (at(100, &[("1", 61), ("2", 42)]), at(130, &[("1", 71), ("2", 63)]));
        assert_eq!(end.since(&start), Duration::from_millis(31));
    }

    #[test]
    fn a_new_thread_counts_from_its_birth() {
        let (start, end) = (at(60, &[("1", 61)]), at(70, &[("1", 65), ("2", 8)]));
        assert_eq!(end.since(&start), Duration::from_millis(12));
    }

    #[test]
    fn the_total_stands_in_when_a_thread_has_ended() {
        let (start, end) = (at(100, &[("1", 61), ("2", 42)]), at(160, &[("1", 71)]));
        assert_eq!(end.since(&start), Duration::from_millis(60));
    }

    #[test]
    fn the_total_stands_in_for_threads_that_came_and_went() {
        let (start, end) = (at(60, &[("1", 61)]), at(360, &[("1", 71)]));
        assert_eq!(end.since(&start), Duration::from_millis(300));
    }
}
