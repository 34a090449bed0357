//! Many connections on one event loop: opened, served and closed together.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry};

use crate::connection::{Bench, Connection, Turn};
use crate::fault::{Fault, Faults};
use crate::options::{Failure, Options};
use crate::pattern::{Framing, Pattern};
use crate::target::Target;

/// How many connections are opened or closed at once. Servers commonly listen with a queue of
/// 128, and the kernel drops what exceeds it: that connection would try again a second later.
const AT_ONCE: usize = 100;
/// Without a byte or an end for so long, what is awaited counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// What one read takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Larger messages than this are no message benchmark.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// What a crowd's connections do.
#[derive(Debug)]
pub struct Manner {
    /// How messages are framed.
    pub framing: Framing,
    /// The bytes of a body.
    pub size: usize,
    /// How many messages go out in one write.
    pub depth: usize,
    /// Whether replies are compared.
    pub check: bool,
    /// From how many addresses, 127.0.0.1 on, connections come in turn.
    pub spread: usize,
}

/// Connections by index; one that failed leaves its place empty, so that the indices stay.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    bench: Bench,
    members: Vec<Option<Connection>>,
    target: Target,
    /// The number of source addresses.
    spread: usize,
    /// How many places are not empty.
    open: usize,
    faults: Faults,
}

impl Crowd {
    /// A crowd of nobody yet, towards the address that `options` name.
    pub fn from_options(options: &mut Options, manner: &Manner) -> Result<Self, Failure> {
        let target: Target = options.required("--address")?;
        let spread = manner.spread;
        if spread > 1 && !(spread < 255 && target.is_ipv4_loopback()) {
            let limits = "--spread takes at most 254 addresses, towards 127.0.0.0/8 only";
            return Err(Failure::Usage(limits.to_owned()));
        }
        if manner.size > LARGEST_MESSAGE {
            return Err(Failure::Usage(format!("--size is at most {LARGEST_MESSAGE}")));
        }
        let poll = Poll::new()?;
        let bench = Bench {
            pattern: Pattern::new(manner.framing, manner.size, manner.depth),
            scratch: vec![0; SCRATCH_BYTES],
            check: manner.check,
            registry: poll.registry().try_clone()?,
        };
        let events = Events::with_capacity(1024);
        let faults = Faults::default();
        Ok(Self { poll, events, bench, members: Vec::new(), target, spread, open: 0, faults })
    }

    /// Where more can be watched; the crowd passes over events with a token it did not give.
    pub fn registry(&self) -> &Registry {
        &self.bench.registry
    }

    /// The bytes of one message, header included.
    pub fn message_bytes(&self) -> u64 {
        self.bench.pattern.message_bytes()
    }

    /// How many connections are open.
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// What went wrong so far.
    pub fn error_count(&self) -> u64 {
        self.faults.count()
    }

    /// The bytes that came back to a connection that is still open.
    pub fn received(&self, index: usize) -> Option<u64> {
        self.members[index].as_ref().map(Connection::received)
    }

    /// Opens `count` more and awaits the first echo of each.
    pub fn open(&mut self, count: usize) -> io::Result<()> {
        let total = self.members.len() + count;
        while self.members.len() < total {
            let first = self.members.len();
            for _ in first..total.min(first + AT_ONCE) {
                self.connect();
            }
            self.settle(first, |_, _, _| {})?;
            for index in first..self.members.len() {
                self.with(index, |connection, bench| connection.unwatch_writes(bench));
            }
        }
        Ok(())
    }

    /// Closes the last `count` that are open, in the order of TCP: our end, then the server's.
    pub fn close(&mut self, count: usize) -> io::Result<()> {
        let mut rest = count;
        while rest > 0 && self.open > 0 {
            let mut first = self.members.len();
            for _ in 0..rest.min(AT_ONCE).min(self.open) {
                first = self.members[..first].iter().rposition(Option::is_some).unwrap_or(0);
                self.with(first, |connection, _| connection.finish());
                rest -= 1;
            }
            self.wait(first, |_| true, |_| Fault::Unclosed, |_, _, _| {})?;
            self.members.truncate(first);
        }
        Ok(())
    }

    /// Waits until all that was asked for came back on the connections from `first` on.
    pub fn settle(
        &mut self,
        first: usize,
        replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<()> {
        let missing = |connection: &Connection| Fault::Silent { missing: connection.missing() };
        self.wait(first, |connection| connection.missing() > 0, missing, replied)
    }

    /// Hears of everything that already happened, without waiting.
    pub fn catch_up(&mut self) -> io::Result<()> {
        loop {
            self.turn(Some(Duration::ZERO), |_, _, _| {})?;
            if self.events.is_empty() {
                return Ok(());
            }
        }
    }

    /// One turn of the loop; `replied` hears of the bytes that came back to a connection and may
    /// ask it for more.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        mut replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let index = event.token().0;
            let Some(place) = self.members.get_mut(index) else { continue };
            let Some(connection) = place else { continue };
            match connection.turn(event, &mut self.bench, |connection, count| {
                replied(index, connection, count);
            }) {
                Ok(Turn::Open) => {}
                Ok(Turn::Finished) => {
                    *place = None;
                    self.open -= 1;
                }
                Err(fault) => {
                    *place = None;
                    self.open -= 1;
                    self.faults.note(index, &fault);
                }
            }
        }
        Ok(())
    }

    /// Lets `act` use a connection, if it is still open, and gives it up if that fails.
    pub fn with(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Connection, &Bench) -> Result<(), Fault>,
    ) {
        let place = &mut self.members[index];
        if let Some(connection) = place
            && let Err(fault) = act(connection, &self.bench)
        {
            *place = None;
            self.open -= 1;
            self.faults.note(index, &fault);
        }
    }

    fn connect(&mut self) {
        let index = self.members.len();
        let source = (self.spread > 1).then(|| {
            Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + (index % self.spread) as u32)
        });
        let opened = self
            .target
            .connect(source)
            .map_err(Fault::from)
            .and_then(|stream| Connection::open(stream, index, &self.bench));
        match &opened {
            Ok(_) => self.open += 1,
            Err(fault) => self.faults.note(index, fault),
        }
        self.members.push(opened.ok());
    }

    fn wait(
        &mut self,
        first: usize,
        waits: impl Fn(&Connection) -> bool,
        lost: impl Fn(&Connection) -> Fault,
        mut replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        while self.members[first..].iter().flatten().any(&waits) {
            self.turn(Some(PATIENCE), &mut replied)?;
            let now = Instant::now();
            if !self.events.is_empty() {
                deadline = now + PATIENCE;
            } else if now >= deadline {
                for (index, place) in self.members.iter_mut().enumerate().skip(first) {
                    if let Some(connection) = place.take_if(|connection| waits(connection)) {
                        self.open -= 1;
                        self.faults.note(index, &lost(&connection));
                    }
                }
            }
        }
        Ok(())
    }
}
