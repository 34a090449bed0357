//! Datagram sockets that have much to do, or do nothing but fail.

use super::{Bench, start};
use crate::datagrams::{BoundDatagramSocket, DatagramHandle, DatagramOptions};
use crate::event_loop::Turn;
use crate::inbound::BUDGET;
use crate::run_queue::Next;
use millrace_ring::record::{Label, address, kind};
use millrace_sys::datagrams::SENT_AT_ONCE;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a waiting datagram counts for beside its bytes.
const COST: usize = 64;
/// How much of its queue one socket sends in one turn, apart from the last batch.
const AT_ONCE: usize = 4 * BUDGET as usize;
/// How long a socket is left alone that did nothing but fail.
const BACK_OFF: Duration = Duration::from_millis(100);

fn bound(number: u32) -> BoundDatagramSocket {
    let options = DatagramOptions {
        max: 1000,
        ..DatagramOptions::new(number, (Ipv4Addr::LOCALHOST, 0).into())
    };
    BoundDatagramSocket::new(&options).unwrap()
}

impl Bench {
    fn open(&mut self, bound: BoundDatagramSocket) -> (Label, Arc<DatagramHandle>) {
        let handle = bound.handle().clone();
        self.event_loop.handle.open_datagrams(bound);
        (self.turn_until(kind::OPEN), handle)
    }

    fn set_writable(&mut self, whose: Label, is_writable: bool) {
        self.event_loop.datagrams.get_mut(whose.slot).unwrap().1.ready.writable = is_writable;
    }
}

/// The payload of a `SEND` to that socket.
fn send(to: &UdpSocket, bytes: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; address::LENGTH as usize];
    crate::address::Address::Inet(to.local_addr().unwrap()).encode(&mut payload);
    payload.extend_from_slice(bytes);
    payload
}

/// The sockets are only said to have no room: a loopback without room cannot be made on purpose.
#[test]
fn a_socket_with_much_to_send_delays_the_others_by_one_budget() {
    const LOUD: u64 = 5000;
    const BYTES: usize = 1000;
    let mut bench = start();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (loud, loud_handle) = bench.open(bound(1));
    let (quiet, quiet_handle) = bench.open(bound(2));
    // The kernel has reported their events; from here on it is not asked.
    bench.event_loop.turn(Some(Duration::ZERO));
    bench.set_writable(loud, false);
    bench.set_writable(quiet, false);
    for _ in 0..LOUD {
        bench.tell(loud, kind::SEND, &send(&peer, &[1; BYTES]));
        bench.event_loop.work();
    }
    bench.tell(quiet, kind::SEND, &send(&peer, b"quiet"));
    bench.event_loop.work();
    assert_eq!((loud_handle.done(), quiet_handle.done()), (0, 0));
    // Now there is room, and the loud socket goes on first.
    for whose in [loud, quiet] {
        bench.set_writable(whose, true);
        bench.event_loop.schedule_datagrams(whose.slot, Next::Again);
    }
    let each = (BYTES + COST) as u64;
    let largest = AT_ONCE as u64 + SENT_AT_ONCE as u64 * each;
    let mut done = 0;
    while done < LOUD * each {
        let turn = bench.event_loop.work();
        assert_eq!(quiet_handle.done(), (5 + COST) as u64, "it waited for more than one budget");
        let more = loud_handle.done() - done;
        assert!(more > 0 && more <= largest, "{more} in one turn");
        done += more;
        assert_eq!(turn.pending, done < LOUD * each);
    }
}

/// A socket for which every `recvmsg` fails and the kernel has no events: it is a listening stream socket.
fn broken(number: u32) -> BoundDatagramSocket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    socket.set_nonblocking(true).unwrap();
    BoundDatagramSocket { socket: mio::net::UdpSocket::from_std(socket.into()), ..bound(number) }
}

#[test]
fn a_socket_that_only_fails_is_left_alone_for_a_while_and_then_tried_again() {
    let mut bench = start();
    let honest = bound(2);
    let address = honest.local();
    bench.open(honest);
    let broken = broken(1);
    let handle = broken.handle().clone();
    bench.event_loop.handle.open_datagrams(broken);
    let mut turn = Turn { pending: true, next_deadline: None };
    for _ in 0..3 {
        let errors = handle.counts().errors;
        let turns = bench.counters().turns;
        let mut before = Instant::now();
        while handle.counts().errors == errors {
            before = Instant::now();
            turn = bench.event_loop.wait_and_turn(turn);
            assert!(bench.counters().turns < turns + 5, "it turns, and tries nothing");
        }
        assert!(handle.counts().errors <= errors + 64, "it held up the others");
        assert!(!turn.pending && !bench.event_loop.rest(), "it is tried again at once");
        let at = turn.next_deadline.expect("it has to be tried again");
        assert!(at >= before + BACK_OFF);
    }
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"still there?", address).unwrap();
    bench.turn_until(kind::DATAGRAM);
}

#[cfg(not(mio_unsupported_force_poll_poll))]
mod writability {
    use super::{Bench, bound, send, start};
    use crate::event_loop::EventLoop;
    use millrace_ring::record::kind;
    use std::net::UdpSocket;
    use std::time::Duration;

    impl EventLoop {
        /// Takes the events that the kernel has by now. Returns how many those were.
        fn take_events_now(&mut self) -> usize {
            self.ask_for_events(Some(Duration::ZERO));
            self.take_events()
        }
    }

    /// Sends a datagram, which has arrived when this returns.
    fn send_one(bench: &mut Bench, whose: millrace_ring::record::Label, peer: &UdpSocket) {
        bench.tell(whose, kind::SEND, &send(peer, b"one"));
        bench.event_loop.work();
        // The kernel has room again for what the peer took, of which it would tell whoever waits for that.
        assert_eq!(peer.recv(&mut [0; 9]).unwrap(), 3);
    }

    #[test]
    fn sending_wakes_its_loop_no_more() {
        let mut bench = start();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (whose, _) = bench.open(bound(1));
        bench.event_loop.take_events_now();
        for _ in 0..10 {
            send_one(&mut bench, whose, &peer);
            assert_eq!(bench.event_loop.take_events_now(), 0);
        }
    }

    #[test]
    fn what_waits_for_room_is_sent_when_there_is_room_and_then_sending_wakes_no_more() {
        let mut bench = start();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (whose, handle) = bench.open(bound(1));
        bench.event_loop.take_events_now();
        for round in 1..=3 {
            bench.set_writable(whose, false);
            bench.tell(whose, kind::SEND, &send(&peer, b"one"));
            bench.event_loop.work();
            assert_eq!(handle.counts().sent, 2 * round - 2);
            assert_eq!(bench.event_loop.take_events_now(), 1);
            assert_eq!(handle.counts().sent, 2 * round - 1);
            assert_eq!(peer.recv(&mut [0; 9]).unwrap(), 3);
            // Whether it is told once more that there is room, is the kernel's business.
            bench.event_loop.take_events_now();
            send_one(&mut bench, whose, &peer);
            assert_eq!(bench.event_loop.take_events_now(), 0);
        }
    }
}
