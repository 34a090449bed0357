//! Connections that the user makes.

use crate::support::net::{PATIENCE, dial, read_exactly, tcp, write_and_finish};
use crate::support::{Listen, Setup, User, What};
use millrace_reactor::{DialTarget, Framing};
use millrace_ring::record::reason;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The peer's end of a connection.
fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    listener().1
}

#[test]
fn a_dial_opens_an_ordinary_connection() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (listener, address) = listener();
        let lane = user.connect(dial(42, tcp(address)));
        let opened = user.find(|event| match event.what {
            What::Open { listener: 42, remote, .. } => Some((event.key, remote)),
            _ => None,
        });
        let (key, remote) = opened;
        assert_eq!((key.lane, remote), (lane, Some(address)));
        let mut peer = accept(&listener);
        user.write(key, b"from us");
        user.settle(key);
        assert_eq!(read_exactly(&peer, 7), b"from us");
        peer.write_all(b"from them").unwrap();
        assert_eq!(user.data(key), b"from them");
        user.close(key);
        write_and_finish(&peer, b"");
        assert_eq!(user.closed(key).reason, reason::NONE);
        assert_eq!(user.lane(lane).connections(), 0);
    }
}

#[test]
fn data_of_a_peer_that_closes_at_once_is_delivered() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (listener, address) = listener();
        let peer = std::thread::spawn(move || write_and_finish(&accept(&listener), b"last words"));
        user.connect(dial(1, tcp(address)));
        let key = user.connected(1);
        assert_eq!(user.data(key), b"last words");
        assert_eq!(user.eof(key), reason::NONE);
        peer.join().unwrap();
    }
}

#[test]
fn a_dial_that_is_not_answered_fails_with_the_systems_error() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let lane = user.connect(dial(7, tcp(nobody())));
        assert_eq!(millrace_sys::error_name(user.refused(7)), "ECONNREFUSED");
        // On systems with Unix sockets, nothing is at that path.
        let path = Box::from(&b"/nowhere/at/all"[..]);
        user.connect(dial(8, DialTarget::Unix { path }));
        let error = if cfg!(unix) { "ENOENT" } else { "UNKNOWN" };
        assert_eq!(millrace_sys::error_name(user.refused(8)), error);
        assert_eq!(user.lane(lane).connections(), 0);
    }
}

/// Waits until the loop has obeyed earlier commands.
fn settle(user: &mut User, number: u32) {
    let (_listener, address) = listener();
    user.connect(dial(number, tcp(address)));
    user.connected(number);
}

#[cfg(unix)]
#[test]
fn a_dial_has_exactly_one_answer_whenever_it_is_cancelled() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (_listener, address) = listener();
        for round in 0..50 {
            let number = 2 * round;
            let lane = user.connect(dial(number, tcp(address)));
            if round % 2 == 1 {
                // The dial may have come some way.
                user.step();
            }
            user.cancel(lane, number);
            let is_answer = |what: &What| match what {
                What::Open { listener, .. } => *listener == number,
                What::ConnectFailed(id, errno) => *id == number && *errno == 0,
                _ => false,
            };
            user.find(|event| is_answer(&event.what).then_some(()));
            settle(&mut user, number + 1);
            assert!(!user.has(|event| is_answer(&event.what)));
        }
    }
}

#[test]
fn cancelling_an_answered_dial_changes_nothing() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (listener, address) = listener();
        let lane = user.connect(dial(5, tcp(address)));
        let key = user.connected(5);
        user.cancel(lane, 5);
        settle(&mut user, 6);
        assert!(!user.has(|event| matches!(event.what, What::ConnectFailed(..))));
        let peer = accept(&listener);
        user.write(key, b"still");
        user.settle(key);
        assert_eq!(read_exactly(&peer, 5), b"still");
    }
}

#[test]
fn dials_go_to_the_loop_with_the_fewest_connections() {
    let mut user = User::start(Setup::threads(3));
    let (_listener, address) = listener();
    for number in 0..30 {
        user.connect(dial(number, tcp(address)));
    }
    for number in 0..30 {
        user.connected(number);
    }
    for lane in 0..3 {
        assert_eq!(user.lane(lane).connections(), 10);
    }
    let options = dial(99, tcp(address));
    assert_eq!(user.group.connect(Some(2), options), Some(2));
    assert_eq!(user.connected(99).lane, 2);
}

#[test]
fn a_full_ring_delays_answers_but_loses_none() {
    const EACH: u32 = 100;
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (_listener, address) = listener();
        let nobody = nobody();
        for number in 0..EACH {
            user.connect(dial(2 * number, tcp(address)));
            user.connect(dial(2 * number + 1, tcp(nobody)));
        }
        // Wait until all are answered, without taking anything from the ring.
        while user.lane(0).connections() > EACH as usize {
            user.step();
        }
        let mut answers = vec![0; 2 * EACH as usize];
        for _ in 0..2 * EACH {
            match user.next().what {
                What::Open { listener, .. } => {
                    assert_eq!(listener % 2, 0);
                    answers[listener as usize] += 1;
                }
                What::ConnectFailed(number, _) => {
                    assert_eq!(number % 2, 1);
                    answers[number as usize] += 1;
                }
                _ => {}
            }
        }
        assert!(answers.iter().all(|count| *count == 1));
    }
}

#[test]
fn a_dial_that_begins_paused_reads_nothing_before_it_is_resumed() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (listener, address) = listener();
        user.connect(millrace_reactor::DialOptions { paused: true, ..dial(1, tcp(address)) });
        let key = user.connected(1);
        let peer = accept(&listener);
        write_and_finish(&peer, b"early");
        user.settle(key);
        assert_eq!(user.lane(0).counters().received, 0);
        assert!(!user.has(|event| matches!(event.what, What::Data(_) | What::Eof(_))));
        user.resume(key);
        assert_eq!(user.data(key), b"early");
        assert_eq!(user.eof(key), reason::NONE);
    }
}

#[test]
fn a_paused_connection_reports_a_fin_without_data_before_it() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let (listener, address) = listener();
        user.connect(millrace_reactor::DialOptions { paused: true, ..dial(1, tcp(address)) });
        let key = user.connected(1);
        write_and_finish(&accept(&listener), b"");
        assert_eq!(user.eof(key), reason::NONE);
    }
}

#[test]
fn a_loop_that_panicked_answers_and_takes_no_dials() {
    for threads in [0, 2] {
        let mut user = User::start(Setup { ring: 4 << 10, threads });
        let (_listener, address) = listener();
        let lane = user.connect(dial(1, tcp(address)));
        user.lane(lane).inject_panic();
        user.is_stirred = true;
        user.until(|user| (!user.lane(lane).is_alive()).then_some(()));
        assert_eq!(user.group.connect(Some(lane), dial(2, tcp(address))), None);
        if threads == 0 {
            assert_eq!(user.group.connect(None, dial(3, tcp(address))), None);
        } else {
            assert_eq!(user.connect(dial(3, tcp(address))), 1 - lane);
            user.connected(3);
        }
    }
}

#[test]
fn a_loop_may_connect_to_itself() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let address = user.listen(&Listen::new(Framing::Raw));
        user.connect(dial(70, tcp(address)));
        let (ours, theirs) = (user.connected(70), user.connected(7));
        user.write(ours, b"there");
        assert_eq!(user.data(theirs), b"there");
        user.write(theirs, b"and back");
        assert_eq!(user.data(ours), b"and back");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::support::net::full;
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_dial_uses_the_given_local_address() {
        let mut user = User::start(Setup::LARGE);
        let (listener, address) = listener();
        // Two connections from one port, which is chosen for each peer separately.
        for (number, last) in [(1, 9), (2, 10)] {
            let local = Some(SocketAddr::from(([127, 0, 0, last], 0)));
            user.connect(dial(number, DialTarget::Tcp { address, local, device: None }));
            user.connected(number);
            let (_, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), SocketAddr::from(([127, 0, 0, last], 0)).ip());
        }
        // An address that is not ours.
        let local = Some(SocketAddr::from(([192, 0, 2, 1], 0)));
        user.connect(dial(3, DialTarget::Tcp { address, local, device: None }));
        assert_eq!(user.refused(3), rustix::io::Errno::ADDRNOTAVAIL.raw_os_error());
    }

    #[test]
    fn a_pending_dial_is_cancelled() {
        for setup in Setup::ALL {
            let mut user = User::start(setup);
            let full = full();
            let lane = user.connect(dial(1, tcp(full.address)));
            settle(&mut user, 2);
            assert!(!user.has(|event| matches!(event.what, What::ConnectFailed(..))));
            user.cancel(lane, 1);
            assert_eq!(user.refused(1), 0);
        }
    }

    /// A Unix socket with a full backlog, its name, and the socket that fills it.
    fn full_unix(name: &str) -> (Socket, DialTarget, Socket) {
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let path: Box<[u8]> = [&[0], name.as_bytes()].concat().into();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let sock_addr = SockAddr::unix(std::ffi::OsStr::from_bytes(&path)).unwrap();
        assert_eq!(address.as_abstract_name(), Some(name.as_bytes()));
        socket.bind(&sock_addr).unwrap();
        socket.listen(0).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let filling = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        filling.connect(&sock_addr).unwrap();
        (socket, DialTarget::Unix { path }, filling)
    }

    #[test]
    fn a_dial_to_a_full_unix_backlog_is_tried_until_there_is_room() {
        for (at, setup) in Setup::ALL.into_iter().enumerate() {
            let mut user = User::start(setup);
            let name = format!("millrace-dialing-{}-{at}", std::process::id());
            let (listener, target, filling) = full_unix(&name);
            let lane = user.connect(dial(1, target.clone()));
            user.connect(dial(2, target));
            settle(&mut user, 3);
            // The dial has neither failed nor delayed others.
            assert!(!user.has(|event| matches!(event.what, What::ConnectFailed(..))));
            user.cancel(lane, 2);
            assert_eq!(user.refused(2), 0);
            let (_first, _) = listener.accept().unwrap();
            let key = user.connected(1);
            let (peer, _) = listener.accept().unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            user.write(key, b"at last");
            user.settle(key);
            let mut bytes = [0; 7];
            std::io::Read::read_exact(&mut &peer, &mut bytes).unwrap();
            assert_eq!(&bytes, b"at last");
            drop(filling);
        }
    }
}
