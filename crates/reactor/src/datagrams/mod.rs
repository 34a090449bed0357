//! One datagram socket: what it is ready for, what waits to be sent, what it has to tell.
//!
//! A datagram socket has many peers and no connections: nothing that one peer sends, and no error that it
//! causes, closes the socket or delays another peer. `receiving.rs` receives, `sending.rs` sends,
//! `errors.rs` collects the errors that the socket survives, `counts.rs` counts (dropped datagrams, too), `local.rs`
//! knows the addresses of this machine that datagrams were sent to, `setting.rs` sets socket options, `time_limit.rs`
//! is a time that may be running, and `handle.rs` is what the user's thread sees of the socket.

mod bound_socket;
mod counts;
mod errors;
mod handle;
mod local;
mod receive_queue;
mod receiving;
mod send_queue;
mod sending;
mod setting;
#[cfg(test)]
mod testing;
mod time_limit;

pub use bound_socket::{BoundDatagramSocket, DatagramOptions};
pub use counts::DatagramCounts;
pub use handle::DatagramHandle;
pub(crate) use sending::Sending;
pub use setting::{DatagramSetting, Interface, Membership};

use crate::address::Address;
use crate::inbound::Inbound;
use crate::notices::{Cause, Closing, Opening, SocketNotices};
use crate::poll::{Interest, Key, Readiness, Registrar};
use crate::run_queue::{Next, Scheduling};
use crate::timers::{Clock, Moment};
use errors::ErrorLog;
use millrace_ring::record::reason;
use millrace_sys::datagrams::{Extras, Inbox, Outbox};
use mio::net::UdpSocket;
use receive_queue::ReceiveQueue;
use send_queue::SendQueue;
use socket2::SockRef;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use time_limit::TimeLimit;

/// How long a socket that is being closed may take to send what waits.
const LINGER: Duration = Duration::from_secs(1);
/// How long a socket is left alone that did nothing but fail.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Memory that the loop lends to its datagram sockets.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
}

#[derive(Debug)]
pub(crate) struct DatagramSocket {
    socket: Option<Arc<UdpSocket>>,
    handle: Arc<DatagramHandle>,
    /// The largest datagram that is received whole.
    max: u32,
    high_water: usize,
    is_connected: bool,
    /// What the kernel says with each datagram beside its sender.
    extras: Extras,
    /// The port that it is bound to.
    port: u16,
    is_v6: bool,
    pub(crate) notices: SocketNotices,
    pub(crate) ready: Readiness,
    pub(crate) scheduling: Scheduling,
    is_paused: bool,
    is_ending: bool,
    /// Receiving does nothing but fail; it is tried again later.
    is_failing: bool,
    /// Writability is watched only while something waits to be sent: the kernel would report it after each datagram.
    watches_writes: bool,
    /// The user asked to be told when the queue is at the low-water mark.
    drain_asked: bool,
    send_queue: SendQueue,
    errors: ErrorLog,
    receive_queue: ReceiveQueue,
    /// What a train took of the ring when something was received last, on average. A datagram that came
    /// alone is a train, too.
    train_cost: u32,
    /// How long the socket may take to end, or is left alone after failures.
    time_limit: TimeLimit,
    /// The deadline that is in the loop's timers.
    pub(crate) scheduled: Option<Moment>,
}

impl DatagramSocket {
    /// Takes a bound socket onto a loop.
    pub(crate) fn open(
        bound: BoundDatagramSocket,
        registrar: Registrar<'_>,
        key: Key,
    ) -> io::Result<Self> {
        let BoundDatagramSocket { mut socket, local, handle, .. } = bound;
        let BoundDatagramSocket { number, max, high_water, is_connected, extras, .. } = bound;
        let interest =
            if Registrar::WATCHES_CHANGE { Interest::Read } else { Interest::ReadAndWrite };
        registrar.register(&mut socket, key, interest)?;
        let opening = Opening { number, remote: Address::Unnamed, local: local.into() };
        let socket = Arc::new(socket);
        handle.lend(&socket);
        Ok(Self {
            socket: Some(socket),
            handle,
            max,
            high_water,
            is_connected,
            extras,
            port: local.port(),
            is_v6: local.is_ipv6(),
            notices: SocketNotices { opening: Some(Box::new(opening)), ..Default::default() },
            ready: Readiness { readable: true, writable: true, ..Readiness::default() },
            scheduling: Scheduling::default(),
            is_paused: false,
            is_ending: false,
            is_failing: false,
            watches_writes: interest == Interest::ReadAndWrite,
            drain_asked: false,
            send_queue: SendQueue::default(),
            errors: ErrorLog::default(),
            receive_queue: ReceiveQueue::default(),
            train_cost: 0,
            time_limit: TimeLimit::default(),
            scheduled: None,
        })
    }

    /// Does whatever can be done now, in both directions.
    pub(crate) fn drive(
        &mut self,
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
        boxes: &mut Boxes,
    ) -> Next {
        let Some(socket) = &self.socket else { return Next::Wait };
        if std::mem::take(&mut self.ready.error)
            && let Ok(Some(error)) = socket.take_error()
        {
            self.note_error(&error, true);
        }
        let is_more = self.send_queued(inbound, &mut boxes.outbox);
        let next = if self.is_ending {
            self.finish()
        } else {
            self.receive(slot, generation, inbound, &mut boxes.inbox)
        };
        match next {
            Next::Wait | Next::Hold(_) if is_more => Next::Again,
            next => next,
        }
    }

    /// Stops receiving until the user resumes.
    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(crate) fn resume(&mut self) {
        self.is_paused = false;
    }

    /// The user will receive no more and send no more.
    pub(crate) fn end(&mut self) -> Next {
        self.is_ending = true;
        self.finish()
    }

    fn finish(&self) -> Next {
        if self.send_queue.is_empty() { Next::Close(Cause::NONE) } else { Next::Wait }
    }

    /// When the first limit in time ends, at which `expire` is to be called.
    pub(crate) fn next_deadline(&mut self, clock: Clock) -> Option<Moment> {
        let limit = match self.socket {
            None => None,
            Some(_) if self.is_ending => Some(LINGER),
            Some(_) => self.is_failing.then_some(BACK_OFF),
        };
        self.time_limit.keep(limit, clock)
    }

    /// The time to send what waits is over, or the time to leave failures alone.
    pub(crate) fn expire(&mut self) -> Next {
        self.time_limit.clear();
        if self.is_ending {
            return Next::Close(Cause::of(reason::LINGER_TIMEOUT));
        }
        self.is_failing = false;
        self.ready.readable = true;
        Next::Again
    }

    /// Gives up everything but the notice of the end.
    pub(crate) fn close(&mut self, cause: Cause, registrar: Registrar<'_>) {
        let Some(socket) = self.socket.take() else { return };
        self.handle.counts.note_dropped(&SockRef::from(&*socket));
        // The user may hold the socket for the moment of a system call; then it closes after that.
        if let Some(mut socket) = Arc::into_inner(socket) {
            registrar.deregister(&mut socket);
        }
        self.send_queue.clear();
        self.receive_queue.clear();
        self.notices.drain = false;
        let counts = self.handle.counts();
        let (received, sent) = (counts.bytes_read, counts.bytes_written);
        self.notices.closing = Some(Box::new(Closing { cause, received, sent }));
    }

    /// Notes an error that the socket survives.
    fn note_error(&mut self, error: &io::Error, is_receiving: bool) {
        // On Windows this means that an earlier datagram reached a closed port; it does not say which one.
        let is_of_earlier = error.kind() == io::ErrorKind::ConnectionReset && is_receiving;
        if is_of_earlier && !self.is_connected {
            return;
        }
        self.handle.counts.errors.add(1);
        self.errors.note(error.raw_os_error().unwrap_or(0), is_receiving);
    }

    /// Whether there is something to tell.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty() || !self.errors.is_empty()
    }

    /// Tells as much as there is room for; false if something is left.
    pub(crate) fn tell(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> bool {
        // No error comes before the opening is told: receiving and sending wait for that.
        self.errors.tell(slot, generation, inbound) && self.notices.tell(slot, generation, inbound)
    }
}
