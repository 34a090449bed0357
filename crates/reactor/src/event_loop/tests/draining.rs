//! Connections of a listener that closes.

use super::{PATIENCE, start};
use crate::accepting::ListenerCommand;
use crate::accepting::testing::LISTENER;
use crate::handoff::LoopCommand;
use millrace_ring::record::{Label, kind};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Over a Unix socket, because its buffer is full again as soon as the peer has written again.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_sends_on_does_not_hold_up_the_end_of_its_input() {
    use crate::accepting::testing::listening;
    use crate::accepting::{BoundListener, ListenAddress, ListenOptions};
    use crate::balancing::Balance;
    use crate::framing::Framing;
    use crate::inbound::CHUNK;
    use crate::service::Service;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    // So many small frames are not passed on in one turn.
    for framing in [Framing::Fixed { size: 8 }, Framing::Raw] {
        let mut bench = start();
        let name = format!("millrace-draining-{}", std::process::id());
        let path = format!("\0{name}").into_bytes().into();
        let address = ListenAddress::Unix { path, mode: None, ignores_lock: true };
        let service = Service::new(Balance::RoundRobin, 0, false);
        let options = ListenOptions { framing, address, ..listening() };
        let bound = BoundListener::new(options, &service).unwrap();
        bench.command(LoopCommand::Listener(ListenerCommand::Listen(bound)));
        bench.event_loop.work();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let mut peer = UnixStream::connect_addr(&address).unwrap();
        let whose = bench.turn_until(kind::OPEN);
        peer.set_nonblocking(true).unwrap();
        let mut fill = || while peer.write(&[7; 4 << 10]).is_ok() {};
        fill();
        let unread = bench.event_loop.connections.get_mut(whose.slot).unwrap().1.transport.unread();
        assert!(unread > CHUNK as usize, "{unread}");
        // The last read may have some of what came since.
        let most = unread as u64 + u64::from(CHUNK);
        bench.command(LoopCommand::Listener(ListenerCommand::Close(LISTENER)));
        let deadline = Instant::now() + PATIENCE;
        let mut is_ended = false;
        while !is_ended {
            assert!(Instant::now() < deadline, "its input does not end");
            // The kernel is not asked for events: nothing is read before the listener closes.
            bench.event_loop.work();
            is_ended = bench.take().iter().any(|(label, _)| label.kind == kind::EOF);
            let received = bench.counters().received;
            assert!(received <= most, "{received} bytes, and {unread} had come");
            fill();
        }
    }
}

#[test]
fn a_peer_that_reads_nothing_does_not_hold_up_the_end_of_its_input() {
    let mut bench = start();
    let mut peer = TcpStream::connect(bench.listen()).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    // More than the kernel takes and more than the high-water mark, so the connection is not read any more.
    for _ in 0..100 {
        bench.tell(whose, kind::WRITE, &vec![7; 200 << 10]);
        bench.event_loop.work();
    }
    peer.write_all(b"last").unwrap();
    let (_, connection) = bench.event_loop.connections.get_mut(whose.slot).unwrap();
    while connection.transport.unread() < 4 {
        std::thread::yield_now();
    }
    bench.event_loop.turn(Some(Duration::ZERO));
    assert_eq!(bench.take(), []);
    bench.command(LoopCommand::Listener(ListenerCommand::Close(LISTENER)));
    let deadline = Instant::now() + PATIENCE;
    let mut told = Vec::new();
    while !told.iter().any(|(label, _): &(Label, _)| label.kind == kind::EOF) {
        assert!(Instant::now() < deadline, "its input does not end");
        bench.event_loop.work();
        told.extend(bench.take());
    }
    assert_eq!(told[0], (Label { kind: kind::DATA, ..whose }, b"last".to_vec()));
}
