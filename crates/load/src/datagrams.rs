//! The udp command: an echo of datagrams by many peers, each with several datagrams in flight.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use millrace_sys::datagrams::{Inbox, Outbox, Outgoing};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::options::{Failure, Options};
use crate::report::{Fixed, Latencies, Object, per_second};
use crate::window::Window;

/// A datagram that is not answered within this time counts as lost, and another takes its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often that is checked.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of the peer's number and the datagram's number, before the filling.
const HEAD: usize = 12;

/// A datagram in flight.
#[derive(Debug, Clone, Copy)]
struct Flight {
    number: u64,
    sent_at: Instant,
}

/// One peer, which has its own socket.
#[derive(Debug)]
struct Peer {
    index: u32,
    socket: UdpSocket,
    /// The datagram at place `p` has a number that gives `p` modulo the number of places.
    flights: Vec<Flight>,
}

/// The result so far.
#[derive(Debug)]
struct Tally {
    latencies: Latencies,
    messages: u64,
    lost: u64,
    /// Answers that came too late.
    late: u64,
    errors: u64,
}

/// The bytes of datagram `number` of a peer, which no other datagram has.
fn fill(bytes: &mut [u8], peer: u32, number: u64) {
    bytes[..4].copy_from_slice(&peer.to_be_bytes());
    bytes[4..HEAD].copy_from_slice(&number.to_be_bytes());
    let mut state = (u64::from(peer) << 40 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in bytes[HEAD..].chunks_mut(8) {
        state ^= state >> 29;
        state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
}

impl Peer {
    fn new(index: u32, server: SocketAddr, depth: usize, now: Instant) -> io::Result<Self> {
        let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let socket = UdpSocket::bind(local)?;
        socket.connect(server)?;
        let flights = (0..depth).map(|place| Flight { number: place as u64, sent_at: now });
        Ok(Self { index, socket, flights: flights.collect() })
    }

    /// Sends the datagrams at these places.
    fn send(&mut self, places: &[usize], size: usize, outbox: &mut Outbox, memory: &mut Vec<u8>) {
        let now = Instant::now();
        memory.resize(places.len() * size, 0);
        for (place, bytes) in places.iter().zip(memory.chunks_exact_mut(size)) {
            self.flights[*place].sent_at = now;
            fill(bytes, self.index, self.flights[*place].number);
        }
        let all: Vec<Outgoing<'_>> = memory
            .chunks_exact(size)
            .map(|bytes| Outgoing { to: None, source: None, bytes })
            .collect();
        let mut sent = 0;
        while sent < all.len() {
            let socket = &self.socket;
            match socket.try_io(|| outbox.send(&SockRef::from(socket), &all[sent..])) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel has no room: the rest count as lost when their time is over.
                Err(_) => break,
            }
        }
    }

    /// Takes all answers that have arrived. Returns the places that are free now.
    fn receive(
        &mut self,
        size: usize,
        inbox: &mut Inbox,
        tally: &mut Tally,
        free: &mut Vec<usize>,
    ) {
        let depth = self.flights.len();
        let mut wanted = vec![0; size];
        loop {
            let socket = &self.socket;
            let result = socket.try_io(|| inbox.receive(&SockRef::from(socket), depth, size + 1));
            let count = match result {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Nobody is at the server's port: the datagram will count as lost.
                Err(_) => {
                    tally.errors += 1;
                    return;
                }
            };
            let now = Instant::now();
            for at in 0..count {
                let bytes = inbox.get(at).bytes;
                let number = bytes.get(4..HEAD).and_then(|bytes| bytes.try_into().ok());
                let number = number.map_or(0, u64::from_be_bytes);
                fill(&mut wanted, self.index, number);
                if bytes != wanted {
                    tally.errors += 1;
                    continue;
                }
                let place = (number % depth as u64) as usize;
                let flight = &mut self.flights[place];
                if flight.number != number {
                    tally.late += 1;
                    continue;
                }
                tally.latencies.record(now - flight.sent_at, 1);
                tally.messages += 1;
                flight.number += depth as u64;
                free.push(place);
            }
            if count < depth.min(millrace_sys::datagrams::RECEIVED_AT_ONCE)
                && millrace_sys::SHORT_MEANS_DRAINED
            {
                return;
            }
        }
    }

    /// Gives up the datagrams that were not answered in time. Returns their places.
    fn expire(&mut self, now: Instant, tally: &mut Tally, free: &mut Vec<usize>) {
        let depth = self.flights.len() as u64;
        for (place, flight) in self.flights.iter_mut().enumerate() {
            if now.saturating_duration_since(flight.sent_at) > PATIENCE {
                tally.lost += 1;
                flight.number += depth;
                free.push(place);
            }
        }
    }
}

/// Runs the command and returns the number of errors.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let server: SocketAddr = options.required("--address")?;
    let count = options.count("--peers", 64)?;
    let depth = options.count("--depth", 8)?;
    let size = options.count("--size", 64)?;
    let length = options.seconds("--seconds", 3.0)?;
    let warmup = options.seconds("--warmup", 0.5)?;
    let process = options.optional("--pid")?;
    options.end()?;
    if !(HEAD..=65_507).contains(&size) {
        return Err(Failure::Usage(format!("--size must be from {HEAD} to 65507")));
    }

    let mut poll = Poll::new()?;
    let start = Instant::now();
    let mut peers = Vec::new();
    for index in 0..count {
        let mut peer = Peer::new(index as u32, server, depth, start)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut peer.socket, Token(index), both)?;
        peers.push(peer);
    }
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    let (mut memory, mut free) = (Vec::new(), Vec::new());
    let places: Vec<usize> = (0..depth).collect();
    for peer in &mut peers {
        peer.send(&places, size, &mut outbox, &mut memory);
    }
    let none = || Tally { latencies: Latencies::new(), messages: 0, lost: 0, late: 0, errors: 0 };
    let mut tally = none();
    let mut window = Window::new(warmup, length, process);
    let mut events = Events::with_capacity(1024);
    let mut looked_at = start;
    let mut was_measuring = false;
    // An error in the warm-up counts, too.
    let mut errors = 0;
    loop {
        let now = Instant::now();
        if !window.advance(now) {
            break;
        }
        if window.is_measuring() && !was_measuring {
            was_measuring = true;
            errors += tally.errors;
            tally = none();
        }
        if now - looked_at >= LOOK {
            looked_at = now;
            for peer in &mut peers {
                peer.expire(now, &mut tally, &mut free);
                if !free.is_empty() {
                    peer.send(&free, size, &mut outbox, &mut memory);
                    free.clear();
                }
            }
        }
        match poll.poll(&mut events, Some(LOOK.min(window.rest(now)))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let peer = &mut peers[event.token().0];
            peer.receive(size, &mut inbox, &mut tally, &mut free);
            if !free.is_empty() {
                peer.send(&free, size, &mut outbox, &mut memory);
                free.clear();
            }
        }
    }
    let measured = window.end();
    let Tally { latencies, messages, lost, late, .. } = tally;
    // A server that never answers must fail the run.
    errors += tally.errors + u64::from(messages == 0);
    let cpu = measured.cpu.filter(|_| messages > 0);
    let report = Object::default()
        .with("messages", messages)
        .with("seconds", Fixed(measured.time.as_secs_f64(), 6))
        .with("throughput", per_second(messages, measured.time))
        .with("p50_us", latencies.quantile_us(0.5))
        .with("p99_us", latencies.quantile_us(0.99))
        .with("p999_us", latencies.quantile_us(0.999))
        .with("max_us", latencies.max_us())
        .with("lost", lost)
        .with("late", late)
        .with("errors", errors)
        .with_optional(
            "cpu_us_per_message",
            cpu.map(|cpu| Fixed(cpu.as_secs_f64() * 1e6 / messages as f64, 4)),
        )
        .with_optional("rss_kb", measured.rss_kb)
        .with("peers", count)
        .with("size", size)
        .with("depth", depth);
    println!("{report}");
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn no_two_datagrams_are_the_same() {
        let mut seen = std::collections::HashSet::new();
        for peer in 0..8 {
            for number in 0..1000 {
                let mut bytes = [0; 13];
                fill(&mut bytes, peer, number);
                assert!(seen.insert(bytes));
                let mut body = [0; 64];
                fill(&mut body, peer, number);
                assert!(body[12..].iter().any(|byte| *byte != 0));
            }
        }
    }
}
