//! The idle command: holds connections that send nothing, so that their memory can be measured.

use std::io::{self, BufRead};

use crate::crowd::{Crowd, Manner};
use crate::options::{Failure, Options};
use crate::order::Order;
use crate::pattern::Framing;
use crate::proc::Process;
use crate::report::Object;

/// Runs the command and returns the number of errors.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let connections: usize = options.or("--connections", 0)?;
    let step = options.count("--step", connections.max(1))?;
    let server: Option<Process> = options.optional("--pid")?;
    let framing = options.or("--framing", Framing::Raw)?;
    let spread = options.count("--spread", 1)?;
    let manner = Manner { framing, size: 64, depth: 1, check: true, spread };
    let mut crowd = Crowd::from_options(&mut options, &manner)?;
    options.end()?;

    let report = |crowd: &mut Crowd| -> io::Result<()> {
        crowd.catch_up()?; // what the server closed meanwhile is not open
        let rss_kb = server.as_ref().and_then(Process::rss_kb);
        let line = Object::default().with("open", crowd.open_count());
        println!("{}", line.with_optional("rss_kb", rss_kb).with("errors", crowd.error_count()));
        Ok(())
    };
    let mut asked = 0;
    while asked < connections {
        let more = step.min(connections - asked);
        crowd.open(more)?;
        asked += more;
        report(&mut crowd)?;
    }
    for line in io::stdin().lock().lines() {
        match line?.parse()? {
            Order::Open(count) => crowd.open(count)?,
            Order::Close(count) => crowd.close(count)?,
            Order::Quit => break,
        }
        report(&mut crowd)?;
    }
    Ok(crowd.error_count())
}
