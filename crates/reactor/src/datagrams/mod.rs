//! One datagram socket: what it is ready for, what waits to be sent, what it has to tell.
//!
//! A datagram socket has many peers and no connections: nothing that one peer sends, and no error
//! that one brings about, closes it or holds up another. `reading.rs` reads, `writing.rs` writes.

mod bound;
mod held;
mod reading;
mod setting;
#[cfg(test)]
mod setup;
mod share;
mod writing;

pub use bound::{BoundDatagrams, DatagramOptions};
pub use setting::{Interface, Membership, Setting};
pub use share::{DatagramCounts, DatagramShare};

use crate::address::Address;
use crate::conn::Next;
use crate::control::{Cause, Closing, Notes, Opening};
use crate::io::Io;
use crate::lists::Listed;
use crate::ready::Ready;
use crate::spent::Spent;
use held::Held;
use millrace_ring::record::{kind, reason, trouble};
use millrace_sys::datagrams::{Inbox, Outbox};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use writing::Queue;

/// Kinds of errors that are told at a time: the others are counted only.
const TROUBLES: usize = 8;
/// How long a socket that is being closed may take to send what waits.
const LINGER: Duration = Duration::from_secs(1);
/// How long a socket is left alone that did nothing but fail.
const BACK_OFF: Duration = Duration::from_millis(100);

/// An error that the socket outlives, and how often it came since it was told last.
#[derive(Debug)]
struct Trouble {
    errno: i32,
    is_receiving: bool,
    count: u32,
}

/// What the loop lends to its datagram sockets.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
}

#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: Option<Arc<UdpSocket>>,
    share: Arc<DatagramShare>,
    /// The largest datagram that is received whole.
    max: u32,
    high_water: usize,
    is_connected: bool,
    takes_trains: bool,
    is_v6: bool,
    pub(crate) notes: Notes,
    pub(crate) ready: Ready,
    pub(crate) listed: Listed,
    is_paused: bool,
    is_ending: bool,
    /// Receiving does nothing but fail: it is tried again later.
    is_failing: bool,
    asked: bool,
    queue: Queue,
    troubles: Vec<Trouble>,
    /// What was received and is not in the ring.
    held: Held,
    /// What a train took of the ring when something was received last, on average: one datagram alone
    /// is a train too.
    train_cost: u32,
    spent: Spent,
    /// In the loop's timers, 0 if not.
    pub(crate) deadline: u64,
}

impl Datagrams {
    pub(crate) fn open(
        bound: BoundDatagrams,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let BoundDatagrams { mut socket, local, share, .. } = bound;
        let BoundDatagrams { number, max, high_water, is_connected, takes_trains, .. } = bound;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let opening = Opening { listener: number, remote: Address::Unnamed, local: local.into() };
        let socket = Arc::new(socket);
        share.lend(&socket);
        Ok(Self {
            socket: Some(socket),
            share,
            max,
            high_water,
            is_connected,
            takes_trains,
            is_v6: local.is_ipv6(),
            notes: Notes { opening: Some(Box::new(opening)), ..Notes::default() },
            ready: Ready { readable: true, writable: true, ..Ready::default() },
            listed: Listed::default(),
            is_paused: false,
            is_ending: false,
            is_failing: false,
            asked: false,
            queue: Queue::default(),
            troubles: Vec::new(),
            held: Held::default(),
            train_cost: 0,
            spent: Spent::default(),
            deadline: 0,
        })
    }

    /// Does whatever can be done now, in both directions.
    pub(crate) fn drive(
        &mut self,
        slot: u32,
        generation: u32,
        io: &mut Io,
        boxes: &mut Boxes,
    ) -> Next {
        let Some(socket) = &self.socket else { return Next::Wait };
        if std::mem::take(&mut self.ready.error)
            && let Ok(Some(error)) = socket.take_error()
        {
            self.fail(&error, true);
        }
        let is_more = self.send_queued(io, &mut boxes.outbox);
        let next = if self.is_ending {
            self.finish()
        } else {
            self.read(slot, generation, io, &mut boxes.inbox)
        };
        match next {
            Next::Wait | Next::Starve | Next::Hold(_) if is_more => Next::Again,
            next => next,
        }
    }

    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(crate) fn resume(&mut self) {
        self.is_paused = false;
    }

    /// The user will receive no more, and send no more.
    pub(crate) fn end(&mut self) -> Next {
        self.is_ending = true;
        self.finish()
    }

    fn finish(&self) -> Next {
        if self.queue.is_empty() { Next::Close(Cause::NONE) } else { Next::Wait }
    }

    /// The time to send what waits is over, or the time to leave failures alone.
    pub(crate) fn expire(&mut self) -> Next {
        if self.is_ending {
            return Next::Close(Cause::of(reason::LINGER_TIMEOUT));
        }
        self.is_failing = false;
        self.ready.readable = true;
        Next::Again
    }

    /// How long until `expire` is called, if it has to be.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        if self.is_ending {
            return Some(LINGER);
        }
        self.is_failing.then_some(BACK_OFF)
    }

    /// Gives up everything but the last word.
    pub(crate) fn close(&mut self, cause: Cause, registry: &Registry) {
        let Some(socket) = self.socket.take() else { return };
        self.share.note_dropped(&SockRef::from(&*socket));
        // Its user may hold it for the moment of a system call, and it is closed after that.
        if let Some(mut socket) = Arc::into_inner(socket) {
            // Closed right after, which takes it off an epoll set by itself; an error changes nothing.
            let _ = registry.deregister(&mut socket);
        }
        self.queue.clear();
        self.held.clear();
        self.notes.drain = false;
        let counts = self.share.counts();
        let (received, sent) = (counts.bytes_read, counts.bytes_written);
        self.notes.closing = Some(Box::new(Closing { cause, received, sent }));
    }

    /// Notes an error that the socket outlives.
    fn fail(&mut self, error: &io::Error, is_receiving: bool) {
        // Windows: an earlier datagram found nobody at its port. Whose, it does not say.
        if !self.is_connected && is_receiving && error.kind() == ErrorKind::ConnectionReset {
            return;
        }
        self.share.errors(1);
        let errno = error.raw_os_error().unwrap_or(0);
        let is_same =
            |each: &&mut Trouble| each.errno == errno && each.is_receiving == is_receiving;
        if let Some(trouble) = self.troubles.iter_mut().find(is_same) {
            trouble.count = trouble.count.saturating_add(1);
        } else if self.troubles.len() < TROUBLES {
            self.troubles.push(Trouble { errno, is_receiving, count: 1 });
        }
    }

    /// Whether there is something to tell.
    pub(crate) fn has_news(&self) -> bool {
        !self.notes.is_empty() || !self.troubles.is_empty()
    }

    /// Tells what there is room for; false if something is left.
    pub(crate) fn tell(&mut self, slot: u32, generation: u32, io: &mut Io) -> bool {
        // Nothing fails before the opening is told: reading and sending wait for that.
        while let Some(Trouble { errno, is_receiving, count }) = self.troubles.last() {
            let mut payload = [0; trouble::TROUBLE_SIZE as usize];
            let mut put = |at: u32, bytes: [u8; 4]| {
                payload[at as usize..at as usize + 4].copy_from_slice(&bytes);
            };
            put(trouble::ERRNO, errno.to_ne_bytes());
            put(trouble::COUNT, count.to_ne_bytes());
            put(trouble::RECEIVING, u32::from(*is_receiving).to_ne_bytes());
            if !io.control(slot, generation, kind::TROUBLE, &payload) {
                return false;
            }
            self.troubles.pop();
        }
        self.notes.tell(slot, generation, io)
    }
}
