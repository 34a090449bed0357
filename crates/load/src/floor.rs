//! The plainest echo server on mio, with no framework: the upper bound of the benchmarks' table.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::options::{Failure, Options};
use crate::stream::SHORT_READ_DRAINS;

const LISTENER: Token = Token(usize::MAX);

/// Serves until the process is killed.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let address = options.or("--address", SocketAddr::from(([127, 0, 0, 1], 0)))?;
    options.end()?;

    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?);
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let mut connections = Slab::new();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let place = connections.vacant_entry();
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(place.key()), both)?;
                    place.insert(Echo { stream, refused: Vec::new() });
                }
            } else {
                let ends = event.is_read_closed() || event.is_error();
                match connections[token.0].turn(&mut buffer, ends) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => drop(connections.remove(token.0)),
                    Ok(()) => {}
                }
            }
        }
    }
}

/// A connection.
struct Echo {
    stream: TcpStream,
    /// What the kernel would not take yet; nothing more is read until it has.
    refused: Vec<u8>,
}

impl Echo {
    /// Echoes all there is; the end of the stream and `WouldBlock` are errors too.
    fn turn(&mut self, buffer: &mut [u8], ends: bool) -> io::Result<()> {
        loop {
            while !self.refused.is_empty() {
                let count = self.stream.write(&self.refused)?;
                self.refused.drain(..count);
            }
            let count = self.stream.read(buffer)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let written = match self.stream.write(&buffer[..count]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                other => other?,
            };
            self.refused.extend_from_slice(&buffer[written..count]);
            if count < buffer.len() && written == count && SHORT_READ_DRAINS && !ends {
                return Ok(());
            }
        }
    }
}
