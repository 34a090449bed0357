//! What becomes of connections for which a target has no room. The loops here never turn, so that a test
//! knows what is in their queues.

use super::distribution::Distribution;
use super::{Acceptor, Shared, TargetChange, TargetTaken};
use crate::accepting::testing::{LISTENER, listening};
use crate::accepting::{AcceptSink, AcceptedSocket, BoundListener, ListenerCommand};
use crate::balancing::Balance;
use crate::event_loop::EventLoop;
use crate::handoff::{LoopCommand, LoopHandle};
use crate::inbound::testing::Silent;
use crate::poll::{Alarm, Poll};
use crate::service::Service;
use crate::transport::Socket;
use millrace_ring::{Memory, pair};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A loop that nobody turns. Its poll is leaked, so that its alarm works.
fn idle_loop() -> LoopHandle {
    let poll = Box::leak(Box::new(Poll::new().unwrap()));
    LoopHandle::new(Alarm::new(poll).unwrap(), Arc::new(Silent))
}

/// The same with a full hand-off queue.
fn full_loop() -> LoopHandle {
    let target = idle_loop();
    fill(&target);
    target
}

fn fill(target: &LoopHandle) {
    while target.0.handoff.push(LoopCommand::ListenerClosed(0)).is_ok() {}
}

/// Whether the connection ends without a byte.
fn is_closed(peer: &mut TcpStream) -> bool {
    match peer.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn distribution(targets: &[&LoopHandle], service: &Arc<Service>) -> (Distribution, Arc<Shared>) {
    let poll = Box::leak(Box::new(Poll::new().unwrap()));
    let shared = Arc::new(Shared::new(Alarm::new(poll).unwrap()));
    let mut distribution = Distribution::new(shared.clone());
    targets.iter().for_each(|each| shared.changes.push(TargetChange::Add((*each).clone())));
    distribution.change_targets();
    distribution.serve(service);
    (distribution, shared)
}

/// A connection that was accepted for that server.
fn accepted(service: &Arc<Service>) -> (AcceptedSocket, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().unwrap();
    let bound = BoundListener::new(listening(), service).unwrap();
    let place = service.reserve().unwrap();
    stream.set_nonblocking(true).unwrap();
    let socket = Socket::tcp(mio::net::TcpStream::from_std(stream));
    let profile = bound.profile.clone();
    (AcceptedSocket { socket, peer: address.into(), profile, place }, peer)
}

/// What a queue holds, in order.
fn queued(target: &LoopHandle) -> Vec<&'static str> {
    std::iter::from_fn(|| target.0.handoff.pop())
        .map(|command| match command {
            LoopCommand::Accepted(_) => "accepted",
            LoopCommand::ListenerClosed(LISTENER) => "listener closed",
            LoopCommand::AcceptFailed(LISTENER, _) => "accept failed",
            _ => "other",
        })
        .collect()
}

/// Waits for what another thread does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// An acceptor whose only target has no room, and the connection that it holds for it.
fn stalled_acceptor(service: &Arc<Service>) -> (Acceptor, LoopHandle, TcpStream, SocketAddr) {
    let target = full_loop();
    let (acceptor, peer, address) = stalled_acceptor_of(&target, service);
    (acceptor, target, peer, address)
}

fn stalled_acceptor_of(
    target: &LoopHandle,
    service: &Arc<Service>,
) -> (Acceptor, TcpStream, SocketAddr) {
    let acceptor = Acceptor::start().unwrap();
    acceptor.add_target(target).unwrap();
    let bound = BoundListener::new(listening(), service).unwrap();
    let address = bound.local().inet().unwrap();
    acceptor.listen(bound);
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    until("it does not stall", || target.0.stalled.load(Ordering::Acquire));
    assert_eq!(target.connections(), 1);
    (acceptor, peer, address)
}

#[test]
fn a_target_without_room_can_be_removed_and_its_connections_go_to_the_others() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let (acceptor, full, _peer, address) = stalled_acceptor(&service);
    let live = idle_loop();
    acceptor.add_target(&live).unwrap();
    acceptor.remove_target(&full);
    until("nothing comes", || live.0.handoff.len() == 1);
    let _second = TcpStream::connect(address).unwrap();
    until("the second does not come", || live.0.handoff.len() == 2);
    assert_eq!((full.connections(), live.connections()), (0, 2));
    assert_eq!(queued(&live), ["accepted", "accepted"]);
}

#[test]
fn without_another_target_the_connections_of_a_removed_one_close() {
    let service = Service::new(Balance::RoundRobin, 1, false);
    let (acceptor, full, mut peer, _) = stalled_acceptor(&service);
    acceptor.remove_target(&full);
    assert!(is_closed(&mut peer));
    until("the place is lost", || service.reserve().is_some());
    assert_eq!(full.connections(), 0);
}

#[test]
fn an_acceptor_that_stops_counts_what_it_holds_as_closed() {
    let service = Service::new(Balance::RoundRobin, 1, false);
    let (mut acceptor, full, mut peer, _) = stalled_acceptor(&service);
    acceptor.stop();
    assert_eq!(full.connections(), 0);
    assert!(service.reserve().is_some());
    assert!(is_closed(&mut peer));
}

#[test]
fn an_acceptor_goes_on_when_the_loop_without_room_has_finished() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let (near, _far) = pair(Memory::leaked(4096).unwrap());
    let (_outbound, outbound) = pair(Memory::leaked(4096).unwrap());
    let mut event_loop = EventLoop::new(near, outbound, Arc::new(Silent)).unwrap();
    let (full, live) = (event_loop.handle(), idle_loop());
    fill(&full);
    let (acceptor, peer, address) = stalled_acceptor_of(&full, &service);
    acceptor.add_target(&live).unwrap();
    event_loop.finish();
    until("nothing comes", || live.0.handoff.len() == 1);
    assert_eq!((full.connections(), live.connections()), (0, 1));
    let _second = TcpStream::connect(address).unwrap();
    until("the second does not come", || live.0.handoff.len() == 2);
    drop(peer);
}

#[test]
fn what_is_asked_after_a_target_was_added_concerns_that_target() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    for _ in 0..50 {
        let acceptor = Acceptor::start().unwrap();
        let (first, second) = (idle_loop(), idle_loop());
        acceptor.add_target(&first).unwrap();
        // Keeps the thread busy, so that the rest comes while it takes commands.
        for _ in 0..50 {
            acceptor.listen(BoundListener::new(listening(), &service).unwrap());
        }
        acceptor.add_target(&second).unwrap();
        acceptor.command(ListenerCommand::Close(LISTENER));
        until("it is not told", || second.0.handoff.len() == 1);
    }
}

#[test]
fn a_target_that_gets_a_connection_is_told_later_that_its_listener_closed() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let (full, late) = (full_loop(), idle_loop());
    let (mut distribution, shared) = distribution(&[&full], &service);
    let (socket, _peer) = accepted(&service);
    distribution.accept(socket);
    distribution.tell_closed(LISTENER);
    shared.changes.push(TargetChange::Add(late.clone()));
    shared.changes.push(TargetChange::Remove(full));
    distribution.change_targets();
    assert!(distribution.has_room());
    assert_eq!(queued(&late), ["accepted", "listener closed"]);
}

#[test]
fn listeners_on_their_way_to_an_acceptor_that_stops_close() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let (mut acceptor, _full, _peer, _) = stalled_acceptor(&service);
    let bound = BoundListener::new(listening(), &service).unwrap();
    let address = bound.local().inet().unwrap();
    acceptor.listen(bound);
    acceptor.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_listener_closes_after_the_connections_that_a_removed_target_had_no_room_for() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let (full, other) = (full_loop(), idle_loop());
    let (mut distribution, shared) = distribution(&[&full, &other], &service);
    let (socket, _peer) = accepted(&service);
    distribution.accept(socket);
    distribution.fail(LISTENER, 24);
    distribution.tell_closed(LISTENER);
    assert!(!distribution.has_room());
    assert_eq!(queued(&other), [""; 0]);
    shared.changes.push(TargetChange::Remove(full.clone()));
    distribution.change_targets();
    assert!(distribution.has_room());
    assert_eq!(queued(&other), ["accepted", "accept failed", "listener closed"]);
    assert_eq!((full.connections(), other.connections()), (0, 1));
}

#[test]
fn what_waits_for_a_full_target_comes_in_order_when_it_has_room() {
    let service = Service::new(Balance::RoundRobin, 0, false);
    let full = full_loop();
    let (mut distribution, _) = distribution(&[&full], &service);
    let (socket, _peer) = accepted(&service);
    distribution.accept(socket);
    distribution.tell_closed(LISTENER);
    assert!(distribution.is_stalled() && !distribution.can_go_on());
    assert!(queued(&full).iter().all(|what| *what == "other"));
    assert!(distribution.can_go_on() && distribution.has_room());
    assert_eq!(queued(&full), ["accepted", "listener closed"]);
}

#[test]
fn a_loop_takes_connections_of_one_acceptor_only() {
    let target = idle_loop();
    let (first, second) = (Acceptor::start().unwrap(), Acceptor::start().unwrap());
    assert!(first.add_target(&target).is_ok());
    assert_eq!(second.add_target(&target), Err(TargetTaken));
    first.remove_target(&target);
    assert_eq!(second.add_target(&target), Err(TargetTaken));
    assert!(first.add_target(&target).is_ok());
}
