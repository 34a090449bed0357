//! Running out of descriptors. Alone in its process, whose limit it lowers.

#![cfg(target_os = "linux")]

#[expect(dead_code, unused_imports, reason = "shared with the suite, which uses more of it")]
mod support;

use millrace_reactor::Framing;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::TcpStream;
use support::net::connect;
use support::{Event, Key, Listen, Setup, User, What};

/// Lets the process open only `more` descriptors, until this is dropped.
struct Scarcity(Rlimit);

impl Scarcity {
    fn of(more: u64) -> Self {
        let open: Vec<u64> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        // The directory itself took the lowest free number, and has given it back.
        let last = (0..).filter(|number| !open.contains(number)).nth(more as usize - 2);
        let before = getrlimit(Resource::Nofile);
        let current = last.map(|last| last + 1);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        Self(before)
    }
}

impl Drop for Scarcity {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

fn answers(user: &mut User, mut peer: &TcpStream, key: Key) {
    peer.write_all(b"ping").unwrap();
    assert_eq!(user.data(key), b"ping");
}

/// The error that accepting failed with.
fn accept_error(user: &mut User) -> i32 {
    user.find(|event| match event.what {
        What::AcceptError(7, errno) => Some(errno),
        _ => None,
    })
}

fn is_accept_error(event: &Event) -> bool {
    matches!(event.what, What::AcceptError(..))
}

fn accepting_heals(setup: Setup) {
    const PEERS: usize = 20;
    let mut user = User::start(setup);
    let address = user.listen(&Listen::new(Framing::Raw));
    let old = connect(address);
    let old_key = user.opened();
    // Descriptors for all peers of this process, and for half of their other ends.
    let scarcity = Scarcity::of(PEERS as u64 * 3 / 2);
    let peers: Vec<_> = (0..PEERS).map(|_| unconnected()).collect();
    for peer in &peers {
        peer.connect(&address.into()).unwrap();
    }
    assert_eq!(accept_error(&mut user), rustix::io::Errno::MFILE.raw_os_error());
    let mut open: Vec<Key> = (0..PEERS / 2).map(|_| user.opened()).collect();
    // Connections go on, and attempts that fail meanwhile are not told.
    for _ in 0..50 {
        answers(&mut user, &old, old_key);
    }
    assert!(!user.has(is_accept_error));
    assert!(!user.has(|event| matches!(event.what, What::Open { .. })));
    // Each connection that closes makes room for one. Nobody new connects, so the listener has no event.
    for _ in 0..PEERS / 4 {
        let key = open.remove(0);
        user.destroy(key);
        user.closed(key);
        open.push(user.opened());
    }
    // Descriptors that other code frees are found by trying again.
    drop(scarcity);
    for _ in 0..PEERS / 4 {
        user.opened();
    }
}

/// A peer's socket that is not connected yet but has its descriptor.
fn unconnected() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

#[test]
fn accepting_goes_on_by_itself_after_descriptors_ran_out() {
    for setup in [Setup::LARGE, Setup::SMALL_INLINE, Setup::threads(4)] {
        accepting_heals(setup);
    }
}
