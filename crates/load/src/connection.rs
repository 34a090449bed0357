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

/// What all connections of a run share.
#[derive(Debug)]
pub struct Bench {
    /// The bytes to send. Never freed, because the kernel may read them until the very end.
    pub pattern: &'static Pattern,
    /// The buffer that replies are read into.
    pub scratch: Vec<u8>,
    /// Whether replies are compared with what was sent.
    pub check: bool,
    /// The registry that watches the sockets.
    pub registry: Registry,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    token: Token,
    flow: Flow,
    /// Bytes that an io_uring was given to send and has not reported.
    sending: usize,
    /// Whether a refused write will be followed by an event.
    watches_writes: bool,
    /// Whether FIN was sent, so that the server's FIN is not a fault.
    finishing: bool,
}

/// The state of a connection after a turn.
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

    /// Stops watching for writability after the first echo: some sockets would have an event whenever the server
    /// has read something.
    pub fn unwatch_writes(&mut self, bench: &Bench) -> Result<(), Fault> {
        if self.stream.reports_idle_writability() {
            bench.registry.reregister(&mut self.stream, self.token, Interest::READABLE)?;
            self.watches_writes = false;
        }
        Ok(())
    }

    /// Bytes that were asked for and have not come back.
    pub fn missing(&self) -> u64 {
        self.flow.missing()
    }

    /// Bytes that came back.
    pub fn received(&self) -> u64 {
        self.flow.received()
    }

    /// Allows sending up to `goal`, which the end of the turn, or `send`, does.
    pub fn ask(&mut self, goal: u64) {
        self.flow.ask(goal);
    }

    /// Half-closes: sends FIN.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.finishing = true;
        Ok(self.stream.shutdown_write()?)
    }

    /// Does what `event` allows; `replied` is told how many bytes came back and may ask for more.
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

    /// Writes what was asked for, as far as the kernel takes it.
    pub fn send(&mut self, bench: &Bench) -> Result<(), Fault> {
        loop {
            let bytes = self.flow.unsent(bench.pattern);
            if bytes.is_empty() {
                return Ok(());
            }
            match self.stream.write(bytes) {
                Ok(count) => self.flow.took(count),
                Err(error) => match error.kind() {
                    // Some systems report "not connected" for a stream that is still connecting.
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => {
                        return self.watch_writes(bench);
                    }
                    ErrorKind::Interrupted => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Leaves reading and writing to an io_uring.
    pub fn hand_over(&mut self, uring: &mut Uring, bench: &Bench) -> Result<(), Fault> {
        bench.registry.deregister(&mut self.stream)?;
        Ok(uring.watch(self.token.0, &self.stream)?)
    }

    /// Takes what the io_uring has done; `replied` is told how many bytes came back and may ask for more.
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
            // The io_uring goes on until all is sent, so fewer bytes mean the end of the connection.
            Done::Sent(count) if count == self.sending => self.sending = 0,
            Done::Sent(_) | Done::Ended => return Err(Fault::Closed),
            Done::Failed(error) => return Err(error.into()),
        }
        self.send_by(uring, bench)
    }

    /// Gives the io_uring what was asked for, one piece at a time, because two could overtake each other.
    pub fn send_by(&mut self, uring: &mut Uring, bench: &Bench) -> Result<(), Fault> {
        let bytes = self.flow.unsent(bench.pattern);
        if self.sending == 0 && !bytes.is_empty() {
            uring.send(self.token.0, bytes)?;
            self.sending = bytes.len();
            // The echo of the first bytes may be reported before the send.
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
