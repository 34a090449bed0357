//! The user of a group: it holds the far ends of the rings, and sleeps until its bell rings.

mod commands;
mod events;

use super::Setup;
use super::event::{Event, Key};
use super::ledger::Ledger;
use super::net::{Listen, PATIENCE, connect};
use crossbeam_utils::sync::{Parker, Unparker};
use millrace_reactor::{
    Bell, BoundDatagramSocket, BoundListener, DatagramHandle, DatagramOptions, DialOptions, Group,
    LoopHandle, LoopRings, Service, Turn,
};
use millrace_ring::{Consumer, Doorbell, Memory, Producer, pair};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// Wakes the user, once each time that it goes to sleep.
#[derive(Debug)]
pub struct Chime {
    doorbell: Doorbell,
    unparker: Unparker,
}

impl Bell for Chime {
    fn ring(&self) {
        if self.doorbell.ring() {
            self.unparker.unpark();
        }
    }
}

/// The far ends of one loop's rings.
#[derive(Debug)]
struct Lane {
    handle: LoopHandle,
    inbound: Consumer,
    outbound: Producer,
}

/// A datagram socket on its loop.
#[derive(Debug, Clone)]
pub struct Socket {
    pub key: Key,
    pub address: SocketAddr,
    pub handle: Arc<DatagramHandle>,
}

/// Takes the place of JavaScript.
#[derive(Debug)]
pub struct User {
    pub group: Group,
    lanes: Vec<Lane>,
    chime: Arc<Chime>,
    parker: Parker,
    /// Events taken out of the rings and not yet asked for.
    backlog: VecDeque<Event>,
    pub ledger: Ledger,
    deadline: Instant,
    /// For an inline loop: what it left to do, and whether the rings have changed since.
    turn: Turn,
    pub is_stirred: bool,
    is_inline: bool,
}

impl User {
    pub fn start(setup: Setup) -> Self {
        let parker = Parker::new();
        let doorbell = Doorbell::new();
        let chime = Arc::new(Chime { doorbell, unparker: parker.unparker().clone() });
        let bell: Arc<dyn Bell> = chime.clone();
        let ring = || pair(Memory::leaked(setup.ring).unwrap());
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..setup.threads.max(1) {
            let ((inbound, from), (to, outbound)) = (ring(), ring());
            near.push(LoopRings { inbound, outbound });
            far.push((from, to));
        }
        let group = match setup.threads {
            0 => Group::inline(near.pop().unwrap(), &bell),
            _ => Group::start(near, &bell),
        };
        let group = group.unwrap();
        let lane = |((inbound, outbound), handle): (_, &LoopHandle)| Lane {
            handle: handle.clone(),
            inbound,
            outbound,
        };
        let lanes = far.into_iter().zip(group.loops()).map(lane).collect();
        Self {
            group,
            lanes,
            chime,
            parker,
            backlog: VecDeque::new(),
            ledger: Ledger::default(),
            deadline: Instant::now() + PATIENCE,
            turn: Turn { pending: true, next_deadline: None },
            is_stirred: true,
            is_inline: setup.threads == 0,
        }
    }

    /// Starts a user that listens and has one connection. Returns the user, the peer, and the connection's key.
    pub fn with_peer(setup: Setup, listen: &Listen) -> (Self, TcpStream, Key) {
        let mut user = Self::start(setup);
        let address = user.listen(listen);
        let peer = connect(address);
        let key = user.opened();
        (user, peer, key)
    }

    /// Listens for a new server.
    pub fn listen(&mut self, listen: &Listen) -> SocketAddr {
        self.listen_for(&listen.service(), listen, None)
    }

    /// Listens for a server; with `lane` that loop accepts itself.
    pub fn listen_for(
        &mut self,
        service: &Arc<Service>,
        listen: &Listen,
        lane: Option<usize>,
    ) -> SocketAddr {
        let bound = BoundListener::new(listen.options(), service).unwrap();
        let address = bound.local().inet().unwrap();
        self.group.listen(bound, lane).unwrap();
        self.is_stirred = true;
        address
    }

    /// Listens with a socket for each loop.
    pub fn listen_on_each(&mut self, listen: &Listen) -> SocketAddr {
        let service = listen.service();
        let mut listen = Listen { reuse_port: true, ..listen.clone() };
        for lane in 0..self.lanes.len() {
            listen.address = self.listen_for(&service, &listen, Some(lane));
        }
        listen.address
    }

    pub fn close_listener_on_each(&mut self, id: u32) {
        for lane in 0..self.lanes.len() {
            self.group.close_listener(Some(lane), id);
        }
    }

    /// Connects on the loop with the fewest connections. Returns which loop that is.
    pub fn connect(&mut self, options: DialOptions) -> usize {
        self.is_stirred = true;
        self.group.connect(None, options).unwrap()
    }

    pub fn cancel(&mut self, lane: usize, number: u32) {
        self.group.cancel_connect(lane, number);
        self.is_stirred = true;
    }

    /// Binds a datagram socket and gives it to that loop, which has opened it when this returns.
    pub fn bind(&mut self, lane: usize, options: &DatagramOptions) -> Socket {
        let bound = BoundDatagramSocket::new(options).unwrap();
        let (address, handle) = (bound.local(), bound.handle().clone());
        self.lanes[lane].handle.open_datagrams(bound);
        self.is_stirred = true;
        let key = self.connected(options.number);
        Socket { key, address, handle }
    }

    pub fn close_listener(&mut self, id: u32) {
        self.group.close_listener(None, id);
        self.is_stirred = true;
    }

    pub fn lane(&self, lane: usize) -> &LoopHandle {
        &self.lanes[lane].handle
    }

    /// Sleeps until `look` finds something. Everything that changes what `look` sees has to ring the bell.
    pub fn until<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                Instant::now() < self.deadline,
                "nothing came; {} are open",
                self.ledger.open()
            );
            if self.is_inline {
                self.step();
                continue;
            }
            self.chime.doorbell.rest(false);
            // The second look: what came before the rest did not ring.
            let found = look(self);
            if found.is_none() {
                self.parker.park_deadline(self.deadline);
            }
            self.chime.doorbell.rise();
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Drives an inline loop as its user has to, and not once more: after a change in the rings,
    /// when it has more to do, at its deadline, and when the kernel has events. Loops with threads
    /// drive themselves.
    pub fn step(&mut self) {
        if !self.is_inline {
            return;
        }
        // A loop that panicked has nothing left to do.
        const DEAD: Turn = Turn { pending: false, next_deadline: None };
        let is_due = self.turn.next_deadline.is_some_and(|at| at <= Instant::now());
        let can_go_on = std::mem::take(&mut self.is_stirred) || self.turn.pending || is_due;
        if can_go_on {
            self.turn = self.group.work().unwrap_or(DEAD);
        }
        if self.has_events(!can_go_on) {
            self.turn = self.group.turn().unwrap_or(DEAD);
        }
    }

    #[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
    fn has_events(&self, may_wait: bool) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(descriptor) = self.group.descriptor() else { return false };
        // SAFETY: the group, borrowed here, keeps it open.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
        // Not long, because a peer's thread may change what the user waits for.
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(may_wait) * 1_000_000 };
        let mut descriptors = [PollFd::new(&descriptor, PollFlags::IN)];
        poll(&mut descriptors, Some(&patience)).is_ok_and(|ready| ready > 0)
    }

    /// Without a descriptor to watch, the loop is turned to find out.
    #[cfg(not(all(unix, not(mio_unsupported_force_poll_poll))))]
    fn has_events(&self, may_wait: bool) -> bool {
        if may_wait {
            std::thread::yield_now();
        }
        true
    }

    /// Takes everything out of the rings.
    pub fn take(&mut self) {
        for lane in 0..self.lanes.len() {
            self.take_from(lane);
        }
    }

    /// Takes everything out of one loop's ring.
    pub fn take_from(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        while let Some(record) = lane.inbound.next() {
            if let Some(event) = self.ledger.note(Event::decode(at, record)) {
                self.backlog.push_back(event);
            }
        }
        if lane.inbound.release() {
            self.is_stirred = true;
            lane.handle.wake_for_room(|| true);
        }
    }
}
