//! A read that returns less than it asked for, though the kernel has more: it stops at TCP's urgent mark, and behind a
//! descriptor that a Unix peer passes.

use crate::support::net::PATIENCE;
use crate::support::{Key, Listen, Setup, User, What};
use millrace_reactor::{BoundListener, Framing, ListenAddress, ListenOptions};
use millrace_ring::record::reason;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::pipe::pipe;
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU32, Ordering};

/// What reading stops at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Urgent,
    UnixUrgent,
    Descriptor,
}

const MARKS: [Mark; 3] = [Mark::Urgent, Mark::UnixUrgent, Mark::Descriptor];

/// A listener for such peers, and where it listens.
fn listen(user: &mut User, mark: Mark, listen: &Listen) -> SockAddr {
    if mark == Mark::Urgent {
        return user.listen(listen).into();
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = format!("\0millrace short reads {} {count}", std::process::id()).into_bytes();
    let address = SockAddr::unix(OsStr::from_bytes(&path)).unwrap();
    let unix = ListenAddress::Unix { path: path.into(), mode: None, ignores_lock: false };
    let options = ListenOptions { address: unix, ..listen.options() };
    let bound = BoundListener::new(options, &listen.service()).unwrap();
    user.group.listen(bound, None).unwrap();
    user.is_stirred = true;
    address
}

fn start(setup: Setup, mark: Mark, options: &Listen) -> (User, Socket, Key) {
    let mut user = User::start(setup);
    let address = listen(&mut user, mark, options);
    let peer = Socket::new(address.domain(), Type::STREAM, None).unwrap();
    assert_eq!(peer.domain().unwrap() == Domain::UNIX, mark != Mark::Urgent);
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.connect(&address).unwrap();
    let key = user.opened();
    (user, peer, key)
}

/// Sends bytes with a descriptor.
fn pass(socket: &Socket, bytes: &[u8], descriptor: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let count = sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty());
    assert_eq!(count, Ok(bytes.len()));
}

/// Sends pieces with marks behind the first two: of urgent marks there is one at a time, behind the first. Returns pipes
/// that end once nobody has the descriptors.
fn send(mut socket: &Socket, mark: Mark, pieces: &[&[u8]]) -> Vec<OwnedFd> {
    let mut ends = Vec::new();
    let (last, marked) = pieces.split_last().unwrap();
    for (at, piece) in marked.iter().enumerate() {
        if mark == Mark::Descriptor {
            let (end, passed) = pipe().unwrap();
            pass(socket, piece, passed.as_fd());
            ends.push(end);
        } else {
            socket.write_all(piece).unwrap();
            if at == 0 {
                assert_eq!(socket.send_out_of_band(b"!").unwrap(), 1);
            }
        }
    }
    socket.write_all(last).unwrap();
    ends
}

/// What the user is told of the connection, until that many bytes have come.
fn data(user: &mut User, key: Key, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bytes.extend(user.data(key));
    }
    bytes
}

fn is_ended(pipe: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let mut polled = [PollFd::new(pipe, PollFlags::IN)];
    // Nobody writes to it, so only its end makes it ready.
    poll(&mut polled, Some(&patience)).unwrap() == 1
}

fn everywhere(run: impl Fn(Setup, Mark, &Listen)) {
    for setup in Setup::ALL {
        for mark in MARKS {
            for framing in [Framing::Raw, Framing::Line { max: 100 }] {
                run(setup, mark, &Listen::new(framing));
            }
        }
    }
}

/// A frame lies across the first mark, and the second mark is between frames.
const PIECES: [&[u8]; 3] = [b"one\ntw", b"o\nthree\n", b"four\n"];

#[test]
fn what_lies_behind_a_mark_is_delivered_without_another_byte() {
    everywhere(|setup, mark, listen| {
        let (mut user, peer, key) = start(setup, mark, listen);
        user.pause(key);
        user.settle(key);
        let ends = send(&peer, mark, &PIECES);
        // The loop has seen all of it, and no event is still to come.
        user.settle(key);
        user.resume(key);
        let all = PIECES.concat();
        assert_eq!(data(&mut user, key, all.len()), all, "{mark:?}");
        assert!(ends.iter().all(is_ended));
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(user.eof(key), reason::NONE);
    });
}

#[test]
fn a_mark_that_comes_while_reading_stops_nothing() {
    everywhere(|setup, mark, listen| {
        let (mut user, peer, key) = start(setup, mark, listen);
        let all = PIECES.concat();
        for _ in 0..50 {
            let ends = send(&peer, mark, &PIECES);
            assert_eq!(data(&mut user, key, all.len()), all, "{mark:?}");
            assert!(ends.iter().all(is_ended));
        }
    });
}

#[test]
#[cfg_attr(
    mio_unsupported_force_poll_poll,
    ignore = "only epoll tells of a mark, up to which the kernel counts"
)]
fn what_lies_behind_a_mark_is_delivered_when_the_listener_closes() {
    everywhere(|setup, mark, listen| {
        let (mut user, peer, key) = start(setup, mark, listen);
        user.pause(key);
        user.settle(key);
        let ends = send(&peer, mark, &PIECES);
        user.settle(key);
        user.close_listener(listen.id);
        user.find(|event| matches!(event.what, What::ListenerClosed(_)).then_some(()));
        user.resume(key);
        let all = PIECES.concat();
        assert_eq!(data(&mut user, key, all.len()), all, "{mark:?}");
        user.eof(key);
        assert!(ends.iter().all(is_ended));
    });
}

#[test]
fn a_descriptor_of_input_that_nobody_wants_is_closed() {
    for setup in Setup::ALL {
        let listen = Listen::new(Framing::Raw);
        let (mut user, peer, key) = start(setup, Mark::Descriptor, &listen);
        user.discard(key);
        user.settle(key);
        let ends = send(&peer, Mark::Descriptor, &PIECES);
        user.settle(key);
        assert!(ends.iter().all(is_ended));
    }
}
