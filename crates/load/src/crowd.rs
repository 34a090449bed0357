//! Many connections on one event loop: opened, served and closed together.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry};

use crate::connection::{Bench, Connection, Turn};
use crate::engine::Engine;
use crate::fault::{Fault, Faults};
use crate::options::{Failure, Options};
use crate::pattern::{Framing, Pattern};
use crate::target::Target;
use crate::uring::{Done, Uring};

/// How many connections are opened or closed at once. Servers commonly listen with a backlog of 128, and the
/// kernel drops connections beyond it, which would try again a second later.
const AT_ONCE: usize = 100;
/// If no byte and no FIN comes for this long, what is awaited counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes that one read takes.
const SCRATCH_BYTES: usize = 64 * 1024;
/// The largest message: larger ones would not be a benchmark of messages.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// What the connections of a crowd do.
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
    /// How many source addresses connections use in turn, from 127.0.0.1 on.
    pub spread: usize,
}

/// Connections by index. A failed connection leaves its place empty, so that the other indices stay.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    bench: Bench,
    /// The io_uring that receives and sends instead of the poll, if one is used.
    uring: Option<Uring>,
    members: Vec<Option<Connection>>,
    target: Target,
    /// The number of source addresses.
    spread: usize,
    /// How many connections are open.
    open: usize,
    faults: Faults,
}

impl Crowd {
    /// Makes an empty crowd for the address in `options`.
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
        let pattern = Pattern::new(manner.framing, manner.size, manner.depth);
        let bench = Bench {
            pattern: Box::leak(Box::new(pattern)),
            scratch: vec![0; SCRATCH_BYTES],
            check: manner.check,
            registry: poll.registry().try_clone()?,
        };
        let events = Events::with_capacity(1024);
        let faults = Faults::default();
        let (uring, members) = (None, Vec::new());
        Ok(Self { poll, events, bench, uring, members, target, spread, open: 0, faults })
    }

    /// Switches to `engine`, or to the best that the kernel has. Returns which one that is. With io_uring no
    /// connection can be opened or closed any more.
    pub fn choose(&mut self, engine: Option<Engine>) -> io::Result<Engine> {
        if engine == Some(Engine::Poll) {
            return Ok(Engine::Poll);
        }
        let mut uring = match Uring::new() {
            Ok(uring) => uring,
            Err(_) if engine.is_none() => return Ok(Engine::Poll),
            Err(error) => return Err(error),
        };
        for index in 0..self.members.len() {
            self.with(index, |connection, bench| connection.hand_over(&mut uring, bench));
        }
        self.uring = Some(uring);
        Ok(Engine::IoUring)
    }

    /// The registry, to watch more; the crowd ignores events with a token that it did not assign.
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

    /// How many errors there were so far.
    pub fn error_count(&self) -> u64 {
        self.faults.count()
    }

    /// The bytes that came back to a connection that is still open.
    pub fn received(&self, index: usize) -> Option<u64> {
        self.members[index].as_ref().map(Connection::received)
    }

    /// Opens `count` more connections and waits for the first echo of each.
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

    /// Closes the last `count` open connections: our end first, then the server's.
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

    /// Waits until everything that was asked for has come back on the connections from `first` on.
    pub fn settle(
        &mut self,
        first: usize,
        replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<()> {
        let missing = |connection: &Connection| Fault::Silent { missing: connection.missing() };
        self.wait(first, |connection| connection.missing() > 0, missing, replied)
    }

    /// Takes everything that has already happened, without waiting.
    pub fn catch_up(&mut self) -> io::Result<()> {
        while self.turn(Some(Duration::ZERO), |_, _, _| {})? > 0 {}
        Ok(())
    }

    /// Has one turn of the loop; `replied` is told how many bytes came back to a connection and may ask it for
    /// more. Returns how many things happened.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<usize> {
        match self.uring.take() {
            None => self.turn_by_poll(timeout, replied),
            Some(mut uring) => {
                let happened = self.turn_by_uring(&mut uring, timeout, replied);
                self.uring = Some(uring);
                happened
            }
        }
    }

    fn turn_by_uring(
        &mut self,
        uring: &mut Uring,
        timeout: Option<Duration>,
        mut replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<usize> {
        let mut happened = 0;
        uring.wait(timeout)?;
        while let Some((index, done)) = uring.next()? {
            happened += 1;
            match done {
                Done::Received(reply) if self.members[index].is_none() => uring.give_back(reply),
                done => self.with(index, |connection, bench| {
                    connection.take(done, uring, bench, |connection, count| {
                        replied(index, connection, count);
                    })
                }),
            }
        }
        Ok(happened)
    }

    fn turn_by_poll(
        &mut self,
        timeout: Option<Duration>,
        mut replied: impl FnMut(usize, &mut Connection, u64),
    ) -> io::Result<usize> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            other => other?,
        }
        let mut happened = 0;
        for event in &self.events {
            happened += 1;
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
        Ok(happened)
    }

    /// Asks a connection for more, up to what `goal` returns, and sends it.
    pub fn ask(&mut self, index: usize, goal: impl FnOnce(&Connection) -> u64) {
        let mut uring = self.uring.take();
        self.with(index, |connection, bench| {
            connection.ask(goal(connection));
            match &mut uring {
                None => connection.send(bench),
                Some(uring) => connection.send_by(uring, bench),
            }
        });
        self.uring = uring;
    }

    /// Lets `act` use a connection, if it is still open, and gives it up if that fails.
    fn with(
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
            let happened = self.turn(Some(PATIENCE), &mut replied)?;
            let now = Instant::now();
            if happened > 0 {
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
