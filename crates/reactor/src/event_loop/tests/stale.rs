//! What still names a connection that is gone does nothing to the one that has its slot now.

use super::{Bench, PATIENCE, start};
use crate::accepting::testing::listening;
use crate::connecting::{Dial, DialOptions, DialTarget};
use crate::datagrams::{BoundDatagramSocket, DatagramOptions};
use crate::event_loop::EventLoop;
use crate::framing::Framing;
use crate::handoff::{LoopCommand, SocketOptionCommand};
use crate::poll::{Interest, Key};
use millrace_ring::record::{Label, kind, news, word};
use millrace_sys::SocketOption;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

/// A connection that has the slot of an earlier one.
struct Reused {
    bench: Bench,
    earlier: Label,
    whose: Label,
    peer: TcpStream,
}

fn reused() -> Reused {
    let mut bench = start();
    let address = bench.listen();
    let first = TcpStream::connect(address).unwrap();
    let earlier = bench.turn_until(kind::OPEN);
    bench.tell(earlier, kind::DESTROY, b"");
    bench.turn_until(kind::CLOSE);
    drop(first);
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    assert_eq!(whose.slot, earlier.slot);
    assert_ne!(whose.generation, earlier.generation);
    Reused { bench, earlier, whose, peer }
}

#[test]
fn a_slot_waits_until_the_user_has_read_that_its_connection_is_closed() {
    let mut bench = start();
    let address = bench.listen();
    let mut first = TcpStream::connect(address).unwrap();
    let earlier = bench.turn_until(kind::OPEN);
    first.write_all(b"seven b").unwrap();
    bench.turn_until(kind::DATA);
    bench.tell(earlier, kind::DESTROY, b"");
    bench.event_loop.work();
    assert_eq!(bench.counters().closed, 1);
    let second = TcpStream::connect(address).unwrap();
    while bench.counters().opened < 2 {
        bench.event_loop.turn(Some(PATIENCE));
    }
    let handle = bench.event_loop.handle();
    assert_eq!(handle.received(earlier.slot, earlier.generation), Some(7));
    assert_eq!(handle.sent(earlier.slot, earlier.generation), Some(0));
    let records = bench.take();
    let opened: Vec<_> = records.iter().filter(|(label, _)| label.kind == kind::OPEN).collect();
    assert_eq!(opened.len(), 1);
    assert_ne!(opened[0].0.slot, earlier.slot);
    // All of it was read.
    let third = TcpStream::connect(address).unwrap();
    assert_eq!(bench.turn_until(kind::OPEN).slot, earlier.slot);
    drop((second, third));
}

#[test]
fn records_for_the_earlier_connection_do_nothing() {
    let Reused { mut bench, earlier, whose, mut peer } = reused();
    for kind in [
        kind::WRITE,
        kind::PAUSE,
        kind::ASK,
        kind::FLUSH,
        kind::END,
        kind::DISCARD,
        kind::RESET,
        kind::DESTROY,
    ] {
        bench.tell(earlier, kind, b"lost");
    }
    bench.event_loop.work();
    assert_eq!(bench.take(), [], "it was told something");
    bench.tell(whose, kind::WRITE, b"still");
    bench.event_loop.work();
    let mut bytes = [0; 5];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"still");
    // And it is still read.
    peer.write_all(b"here").unwrap();
    bench.turn_until(kind::DATA);
}

#[test]
fn a_question_about_the_earlier_connection_is_answered_with_an_error() {
    let Reused { mut bench, earlier, whose, peer: _peer } = reused();
    let mut ask = |Label { slot, generation, .. }: Label| {
        let what = SocketOptionCommand::Get(SocketOption::NoDelay);
        bench.command(LoopCommand::SocketOption { slot, generation, what, ticket: 1 });
        bench.event_loop.work();
        let records = bench.take();
        let (_, payload) = records.iter().find(|(label, _)| label.kind == kind::ANSWER).unwrap();
        word(payload, news::ERRNO)
    };
    assert_eq!(ask(whose), 0);
    assert_ne!(ask(earlier), 0);
}

/// Registers a socket with something to read under a key, and turns until its event was taken.
fn event_for(bench: &mut Bench, key: Key) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = listener.accept().unwrap().0;
    near.set_nonblocking(true).unwrap();
    peer.write_all(b"x").unwrap();
    let mut near = mio::net::TcpStream::from_std(near);
    bench.event_loop.poll.registrar().register(&mut near, key, Interest::ReadAndWrite).unwrap();
    while bench.event_loop.poll_once() == 0 {}
}

impl EventLoop {
    /// Takes the events that the kernel has. Returns how many those were.
    fn poll_once(&mut self) -> usize {
        self.ask_for_events(Some(PATIENCE));
        self.take_events()
    }
}

#[test]
fn a_late_event_of_the_earlier_connection_is_not_taken_for_one_of_the_later() {
    let Reused { mut bench, earlier, whose, peer: _peer } = reused();
    // What the loop knows of a paused connection stays as it is.
    bench.tell(whose, kind::PAUSE, b"");
    bench.event_loop.work();
    let key = |Label { slot, generation, .. }: Label| Key::Connection { slot, generation };
    let is_readable = |bench: &mut Bench| {
        bench.event_loop.connections.get_mut(whose.slot).unwrap().1.transport.is_readable()
    };
    event_for(&mut bench, key(earlier));
    assert!(!is_readable(&mut bench));
    event_for(&mut bench, key(whose));
    assert!(is_readable(&mut bench));
}

fn dial(id: u32, address: SocketAddr) -> Box<Dial> {
    let target = DialTarget::Tcp { address, local: None, device: None };
    let connection = listening().connection;
    let options = DialOptions { id, target, paused: false, framing: Framing::Raw, connection };
    Box::new(options.into())
}

impl Bench {
    fn open_datagrams(&mut self, number: u32) -> (Label, SocketAddr) {
        let options = DatagramOptions::new(number, (Ipv4Addr::LOCALHOST, 0).into());
        let bound = BoundDatagramSocket::new(&options).unwrap();
        let address = bound.local();
        self.event_loop.handle.open_datagrams(bound);
        self.event_loop.work();
        (self.turn_until(kind::OPEN), address)
    }

    /// Whether it was said that a dial failed or was cancelled.
    fn has_failed_dial(&mut self) -> bool {
        self.event_loop.work();
        self.take().iter().any(|(label, _)| label.kind == kind::CONNECT_FAILED)
    }
}

#[test]
fn cancelling_an_answered_dial_does_nothing_to_the_one_that_has_its_slot() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut bench = start();
    bench.command(LoopCommand::Connect(dial(1, address)));
    bench.turn_until(kind::OPEN);
    // No event is taken in between, so the second dial has no answer when the first is cancelled.
    bench.event_loop.dial(dial(2, address));
    bench.event_loop.cancel_dial(1);
    assert!(!bench.has_failed_dial());
    bench.event_loop.cancel_dial(2);
    assert!(bench.has_failed_dial());
}

/// Where the kernel drops what a full backlog has no room for, a dial can be made to wait.
#[cfg(target_os = "linux")]
#[test]
fn a_late_event_of_an_earlier_dial_does_not_answer_the_later() {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let full = listener.local_addr().unwrap().as_socket().unwrap();
    let _filling = TcpStream::connect(full).unwrap();
    let mut bench = start();
    bench.event_loop.dial(dial(1, full));
    let (slot, generation) = (0, 0);
    bench.event_loop.cancel_dial(1);
    assert!(bench.has_failed_dial());
    bench.event_loop.dial(dial(2, full));
    assert!(bench.event_loop.dials.is_pending(slot, generation + 1));
    event_for(&mut bench, Key::Connecting { slot, generation });
    assert!(bench.event_loop.dials.is_pending(slot, generation + 1), "it was answered");
}

#[test]
fn what_is_for_an_earlier_datagram_socket_does_nothing_to_the_later() {
    let mut bench = start();
    let (earlier, _) = bench.open_datagrams(1);
    bench.tell(earlier, kind::END, b"");
    bench.turn_until(kind::CLOSE);
    let (whose, address) = bench.open_datagrams(2);
    assert_eq!(whose.slot, earlier.slot);
    for kind in [kind::PAUSE, kind::ASK, kind::END] {
        bench.tell(earlier, kind, b"");
    }
    bench.event_loop.work();
    assert_eq!(bench.take(), [], "it was told something");
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"here", address).unwrap();
    assert_eq!(bench.turn_until(kind::DATAGRAM), Label { kind: kind::DATAGRAM, ..whose });
}
