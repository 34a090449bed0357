//! One connection to the server under test: sends its part of the pattern and checks the echo.

use std::io::{ErrorKind, Read, Write};

use mio::event::Event;
use mio::{Interest, Registry, Token};

use crate::fault::Fault;
use crate::pattern::Pattern;
use crate::stream::Stream;
use millrace_sys::SHORT_MEANS_DRAINED;

/// What every connection of a run uses.
#[derive(Debug)]
pub struct Bench {
    /// What is sent.
    pub pattern: Pattern,
    /// Where replies are read to.
    pub scratch: Vec<u8>,
    /// Whether replies are compared with what was sent.
    pub check: bool,
    /// Where the sockets are watched.
    pub registry: Registry,
}

/// A connection; its positions count bytes from its first one on.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    token: Token,
    /// Where in the pattern its stream begins.
    start: u64,
    /// Up to where it may send.
    goal: u64,
    /// Up to where the kernel took it.
    sent: u64,
    /// Up to where it came back.
    received: u64,
    /// Whether a refused write will be followed by an event.
    watches_writes: bool,
    /// Whether the end of the stream was sent, so that the server's is no fault.
    finishing: bool,
}

/// How a connection stands after a turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It goes on.
    Open,
    /// Both sides have ended it.
    Finished,
}

impl Connection {
    /// Watches a stream that is connecting and asks for one message: its echo proves that the
    /// server, not only its kernel, took the connection.
    pub fn open(mut stream: Stream, index: usize, bench: &Bench) -> Result<Self, Fault> {
        let token = Token(index);
        bench.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            token,
            start: bench.pattern.start(index),
            goal: bench.pattern.message_bytes(),
            sent: 0,
            received: 0,
            watches_writes: true,
            finishing: false,
        })
    }

    /// After the first echo: no more events about writability, which costs some sockets a turn
    /// whenever the server has read something.
    pub fn unwatch_writes(&mut self, bench: &Bench) -> Result<(), Fault> {
        if self.stream.reports_idle_writability() {
            bench.registry.reregister(&mut self.stream, self.token, Interest::READABLE)?;
            self.watches_writes = false;
        }
        Ok(())
    }

    /// Bytes asked for that have not come back.
    pub fn missing(&self) -> u64 {
        self.goal - self.received
    }

    /// Bytes that came back.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Allows sending up to `goal`; the end of the turn, or `send`, does it.
    pub fn ask(&mut self, goal: u64) {
        self.goal = self.goal.max(goal);
    }

    /// Sends the end of the stream.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.finishing = true;
        Ok(self.stream.shutdown_write()?)
    }

    /// Does what `event` allows; `replied` hears how many bytes came back and may ask for more.
    pub fn turn(
        &mut self,
        event: &Event,
        bench: &mut Bench,
        mut replied: impl FnMut(&mut Self, u64),
    ) -> Result<Turn, Fault> {
        self.send(bench)?;
        let ends = event.is_read_closed() || event.is_error();
        if event.is_readable() || ends {
            loop {
                let count = match self.stream.read(&mut bench.scratch) {
                    Ok(0) if self.finishing => return Ok(Turn::Finished),
                    Ok(0) => return Err(Fault::Closed),
                    Ok(count) => count,
                    Err(error) => match error.kind() {
                        ErrorKind::WouldBlock => break,
                        ErrorKind::Interrupted => continue,
                        _ => return Err(error.into()),
                    },
                };
                self.accept(&bench.scratch[..count], bench)?;
                replied(self, count as u64);
                if count < bench.scratch.len() && SHORT_MEANS_DRAINED && !ends {
                    break;
                }
            }
        }
        self.send(bench)?;
        Ok(Turn::Open)
    }

    /// Writes what is asked for, as far as the kernel takes it.
    pub fn send(&mut self, bench: &Bench) -> Result<(), Fault> {
        while self.sent < self.goal {
            let bytes = bench.pattern.slice(self.start + self.sent, self.goal - self.sent);
            match self.stream.write(bytes) {
                Ok(count) => self.sent += count as u64,
                Err(error) => match error.kind() {
                    // Some systems say "not connected" of a stream that still connects.
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => {
                        return self.watch_writes(bench);
                    }
                    ErrorKind::Interrupted => {}
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    fn watch_writes(&mut self, bench: &Bench) -> Result<(), Fault> {
        if !self.watches_writes {
            let both = Interest::READABLE | Interest::WRITABLE;
            bench.registry.reregister(&mut self.stream, self.token, both)?;
            self.watches_writes = true;
        }
        Ok(())
    }

    fn accept(&mut self, bytes: &[u8], bench: &Bench) -> Result<(), Fault> {
        if bytes.len() as u64 > self.sent - self.received {
            return Err(Fault::Surplus);
        }
        if bench.check
            && let Some(offset) = bench.pattern.first_difference(self.start + self.received, bytes)
        {
            return Err(Fault::Mismatch { position: self.received + offset as u64 });
        }
        self.received += bytes.len() as u64;
        Ok(())
    }
}
