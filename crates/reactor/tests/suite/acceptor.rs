//! An acceptor whose targets come and go.

use crate::support::net::{connect, read_exactly};
use crate::support::{Key, Listen, Setup, User};
use millrace_reactor::{Acceptor, BoundListener, Framing, GroupError, TargetTaken};
use std::net::{SocketAddr, TcpStream};

/// An acceptor that listens, and two loops that are not its targets yet.
fn acceptor() -> (Acceptor, SocketAddr, User) {
    let user = User::start(Setup::threads(2));
    let acceptor = Acceptor::start().unwrap();
    let listen = Listen::new(Framing::Raw);
    let bound = BoundListener::new(listen.options(), &listen.service()).unwrap();
    let address = bound.local().inet().unwrap();
    acceptor.listen(bound);
    (acceptor, address, user)
}

fn open(count: usize, address: SocketAddr, user: &mut User) -> Vec<(TcpStream, Key)> {
    (0..count).map(|_| (connect(address), user.opened())).collect()
}

fn lanes(opened: &[(TcpStream, Key)]) -> Vec<usize> {
    opened.iter().map(|(_, key)| key.lane).collect()
}

#[test]
fn loops_are_added_and_removed_while_the_acceptor_runs() {
    let (mut acceptor, address, mut user) = acceptor();
    acceptor.add_target(user.lane(0)).unwrap();
    let first = open(3, address, &mut user);
    assert_eq!(lanes(&first), [0, 0, 0]);
    acceptor.add_target(user.lane(1)).unwrap();
    let both = open(4, address, &mut user);
    assert_eq!(lanes(&both).iter().sum::<usize>(), 2);
    acceptor.remove_target(user.lane(0));
    assert_eq!(lanes(&open(3, address, &mut user)), [1, 1, 1]);
    // A loop keeps the connections that it was given.
    let (peer, key) = &first[0];
    user.write(*key, b"still here");
    assert_eq!(read_exactly(peer, 10), b"still here");
    acceptor.stop();
}

#[test]
fn a_loop_that_has_stopped_is_given_no_connection() {
    use std::io::Read;
    let mut gone = User::start(Setup::threads(1));
    let mut live = User::start(Setup::threads(1));
    let acceptor = Acceptor::start().unwrap();
    let mut listen = Listen::new(Framing::Raw);
    listen.max = 1;
    let bound = BoundListener::new(listen.options(), &listen.service()).unwrap();
    let address = bound.local().inet().unwrap();
    acceptor.listen(bound);
    acceptor.add_target(gone.lane(0)).unwrap();
    gone.group.stop();
    let mut lost = connect(address);
    assert!(!matches!(lost.read(&mut [0]), Ok(1..)));
    // Its place is free again: the only one there is.
    acceptor.add_target(live.lane(0)).unwrap();
    open(1, address, &mut live);
}

#[test]
fn a_connection_that_no_loop_can_have_is_closed() {
    use std::io::Read;
    let (_acceptor, address, _user) = acceptor();
    let mut peer = connect(address);
    assert!(!matches!(peer.read(&mut [0]), Ok(1..)));
}

#[test]
fn a_group_does_not_share_its_loops_with_another_acceptor() {
    let (acceptor, _, mut user) = acceptor();
    acceptor.add_target(user.lane(1)).unwrap();
    let listen = Listen::new(Framing::Raw);
    let bound = BoundListener::new(listen.options(), &listen.service()).unwrap();
    let refused = user.group.listen(bound, None);
    assert!(matches!(refused, Err(GroupError::TargetTaken(TargetTaken))));
    // The loops that are free stay free.
    acceptor.add_target(user.lane(0)).unwrap();
}
