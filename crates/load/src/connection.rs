//! One connection to the server under test: sends its part of the pattern and checks the echo.

use std::io::{ErrorKind, Read, Write};

use mio::event::Event;
use mio::{Interest, Registry, Token};

use crate::fault::Fault;
use crate::flow::Flow;
use crate::pattern::Pattern;
use crate::stream::Stream;
use crate::uring::{Done, Uring};
use millrace_sys::SHORT_MEANS_DRAINED;

/// What every connection of a run uses.
#[derive(Debug)]
pub struct Bench {
    /// What is sent; for ever, as the kernel may be reading it at the very end.
    pub pattern: &'static Pattern,
    /// Where replies are read to.
    pub scratch: Vec<u8>,
    /// Whether replies are compared with what was sent.
    pub check: bool,
    /// Where the sockets are watched.
    pub registry: Registry,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    token: Token,
    flow: Flow,
    /// Bytes that a ring has been given to send and has not told of.
    sending: usize,
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
            flow: Flow::new(index, bench.pattern),
            sending: 0,
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
        self.flow.missing()
    }

    /// Bytes that came back.
    pub fn received(&self) -> u64 {
        self.flow.received()
    }

    /// Allows sending up to `goal`; the end of the turn, or `send`, does it.
    pub fn ask(&mut self, goal: u64) {
        self.flow.ask(goal);
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
                self.flow.accept(&bench.scratch[..count], bench.pattern, bench.check)?;
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
        loop {
            let bytes = self.flow.unsent(bench.pattern);
            if bytes.is_empty() {
                return Ok(());
            }
            match self.stream.write(bytes) {
                Ok(count) => self.flow.took(count),
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
    }

    /// Leaves reading and writing to a ring.
    pub fn hand_over(&mut self, uring: &mut Uring, bench: &Bench) -> Result<(), Fault> {
        bench.registry.deregister(&mut self.stream)?;
        Ok(uring.watch(self.token.0, &self.stream)?)
    }

    /// Takes what a ring has done; `replied` hears how many bytes came back and may ask for more.
    pub fn take(
        &mut self,
        done: Done,
        uring: &mut Uring,
        bench: &Bench,
        replied: impl FnOnce(&mut Self, u64),
    ) -> Result<(), Fault> {
        match done {
            Done::Received(reply) => {
                let bytes = uring.bytes(&reply);
                let count = bytes.len() as u64;
                let accepted = self.flow.accept(bytes, bench.pattern, bench.check);
                uring.give_back(reply);
                accepted?;
                replied(self, count);
            }
            // The ring goes on until all is sent: less is the end of the connection.
            Done::Sent(count) if count == self.sending => self.sending = 0,
            Done::Sent(_) | Done::Ended => return Err(Fault::Closed),
            Done::Failed(error) => return Err(error.into()),
        }
        self.send_by(uring, bench)
    }

    /// Gives a ring what is asked for, one piece at a time, as two could overtake each other.
    pub fn send_by(&mut self, uring: &mut Uring, bench: &Bench) -> Result<(), Fault> {
        let bytes = self.flow.unsent(bench.pattern);
        if self.sending == 0 && !bytes.is_empty() {
            uring.send(self.token.0, bytes)?;
            self.sending = bytes.len();
            // The echo of its beginning may be told of before the send.
            self.flow.took(bytes.len());
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
}
