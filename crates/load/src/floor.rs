//! The simplest echo server on mio, without a framework: the upper bound in the table of benchmarks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::listener::Listener;
use crate::options::{Failure, Options};
use crate::stream::Stream;
use crate::target::Target;
use millrace_sys::SHORT_MEANS_DRAINED;

/// The token of the first listener; the others count down from it.
const LISTENER: usize = usize::MAX;
/// The most loopback addresses that exist without being set up.
const MOST_HOSTS: usize = 250;

/// Serves until the process is killed.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let address = options.or("--address", Target::Tcp(([127, 0, 0, 1], 0).into()))?;
    let hosts = options.count("--hosts", 1)?;
    options.end()?;
    if hosts > MOST_HOSTS {
        return Err(Failure::Usage(format!("--hosts is at most {MOST_HOSTS}")));
    }

    let mut poll = Poll::new()?;
    let mut listeners = listen(&address, hosts)?;
    for (at, listener) in listeners.iter_mut().enumerate() {
        poll.registry().register(listener, Token(LISTENER - at), Interest::READABLE)?;
    }
    println!("listening {}", listeners[0].local()?);
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
            if let Some(listener) = listeners.get(LISTENER - token.0) {
                while let Ok(mut stream) = listener.accept() {
                    let place = connections.vacant_entry();
                    let token = Token(place.key());
                    poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    place.insert(Echo { stream, refused: Vec::new(), watches_writes: false });
                }
            } else {
                let ends = event.is_read_closed() || event.is_error();
                match connections[token.0].turn(&mut buffer, ends) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => {
                        connections.remove(token.0);
                        continue;
                    }
                    Ok(()) => {}
                }
                connections[token.0].watch_writes(poll.registry(), token)?;
            }
        }
    }
}

/// Listens on one port of each of so many addresses, counted up from the first.
fn listen(first: &Target, hosts: usize) -> Result<Vec<Listener>, Failure> {
    let mut listeners = vec![Listener::bind(first)?];
    if hosts == 1 {
        return Ok(listeners);
    }
    let Target::Tcp(SocketAddr::V4(_)) = first else {
        return Err(Failure::Usage("--hosts needs an IPv4 address".to_owned()));
    };
    let local = listeners[0].local()?;
    let local: SocketAddr =
        local.parse().map_err(|_| Failure::Usage(format!("{local} is not an IPv4 address")))?;
    for more in 1..hosts {
        let IpAddr::V4(ip) = local.ip() else { break };
        let ip = (u32::from(ip) + more as u32).into();
        let address = SocketAddr::new(IpAddr::V4(ip), local.port());
        listeners.push(Listener::bind(&Target::Tcp(address))?);
    }
    Ok(listeners)
}

/// A connection.
struct Echo {
    stream: Stream,
    /// Bytes that the kernel did not take yet; nothing more is read until it has.
    refused: Vec<u8>,
    /// Whether writability is watched.
    watches_writes: bool,
}

impl Echo {
    /// Watches for writability only while something waits for it: otherwise there would be an event at the start,
    /// and for some sockets with every read of the peer.
    fn watch_writes(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let waits = !self.refused.is_empty();
        if waits != self.watches_writes {
            self.watches_writes = waits;
            let reading = Interest::READABLE;
            let interest = if waits { reading | Interest::WRITABLE } else { reading };
            registry.reregister(&mut self.stream, token, interest)?;
        }
        Ok(())
    }

    /// Echoes everything that has arrived; FIN and `WouldBlock` are returned as errors, too.
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
            if count < buffer.len() && written == count && SHORT_MEANS_DRAINED && !ends {
                return Ok(());
            }
        }
    }
}
