//! Accepting for a group: a set of listeners, and the thread that has one where there are several
//! loops.

use crate::accepting::{Accepting, Sink};
use crate::address::Address;
use crate::balance::Balancer;
use crate::bound::Bound;
use crate::handoff::{Accepted, Handoff};
use crate::listener::Listener;
use crate::service::Service;
use crate::shared::{Alarm, LoopHandle};
use crate::socket::Socket;
use crossbeam_queue::SegQueue;
use mio::{Events, Poll, Registry, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// The token of a waker, in the acceptor and in every loop.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Tokens of listeners count down from here; those of connections never come near.
const LISTENERS: usize = usize::MAX - 1;
/// Connections accepted from one listener before anybody else has a turn.
const BURST: usize = 256;

/// Listeners that one thread accepts from.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    entries: Vec<Option<Accepting>>,
}

impl Listeners {
    pub(crate) fn add(&mut self, bound: Bound, registry: &Registry) -> io::Result<()> {
        let at = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        let accepting = Accepting::start(bound, registry, Token(LISTENERS - at))?;
        if at == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[at] = Some(accepting);
        Ok(())
    }

    /// Notes an event; false if it is not a listener's.
    pub(crate) fn note(&mut self, token: Token) -> bool {
        let at = LISTENERS.wrapping_sub(token.0);
        match self.entries.get_mut(at) {
            Some(entry) => {
                if let Some(accepting) = entry {
                    accepting.note_event();
                }
                true
            }
            None => false,
        }
    }

    /// Accepts from all that are due.
    pub(crate) fn sweep(&mut self, now: Instant, sink: &mut dyn Sink) {
        for accepting in self.entries.iter_mut().flatten() {
            if accepting.is_due(now) {
                accepting.sweep(now, BURST, sink);
            }
        }
    }

    /// Whether any is: left in the middle of a burst, or waiting for a close that has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.entries.iter().flatten().any(|accepting| accepting.is_due(now))
    }

    /// Accepts once more from that listener and closes it; false if it is not here.
    pub(crate) fn close(
        &mut self,
        id: u32,
        now: Instant,
        registry: &Registry,
        sink: &mut dyn Sink,
    ) -> bool {
        let found = self.entries.iter_mut().find(|e| e.as_ref().is_some_and(|a| a.id() == id));
        match found.and_then(Option::take) {
            Some(accepting) => {
                accepting.close(now, registry, sink);
                true
            }
            None => false,
        }
    }

    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.entries.iter().flatten().filter_map(Accepting::retry_at).min()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// What the owner of a group asks of its acceptor.
#[derive(Debug)]
enum Command {
    Listen(Bound),
    Close(u32),
}

#[derive(Debug)]
struct Orders {
    alarm: Arc<Alarm>,
    /// Never more than two for each listener of the group.
    queue: SegQueue<Command>,
    stop: AtomicBool,
}

/// The acceptor thread of a group of two or more loops.
#[derive(Debug)]
pub(crate) struct Acceptor {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    pub(crate) fn start(loops: Vec<LoopHandle>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Arc::new(Alarm::new(Waker::new(poll.registry(), WAKER)?));
        for each in &loops {
            let _ = each.0.acceptor.set(alarm.clone());
        }
        let stop = AtomicBool::new(false);
        let orders = Arc::new(Orders { alarm, queue: SegQueue::new(), stop });
        let worker = Worker {
            poll,
            listeners: Listeners::default(),
            distribution: Distribution {
                loops,
                balancers: Vec::new(),
                stalled: None,
                orders: orders.clone(),
            },
            orders: orders.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("millrace-accept".into())
            .spawn(move || worker.run())?;
        Ok(Self { orders, thread: Some(thread) })
    }

    pub(crate) fn listen(&self, bound: Bound) {
        bound.service.accepted_by(&self.orders.alarm);
        self.order(Command::Listen(bound));
    }

    pub(crate) fn close(&self, id: u32) {
        self.order(Command::Close(id));
    }

    fn order(&self, command: Command) {
        self.orders.queue.push(command);
        self.orders.alarm.ring();
    }

    pub(crate) fn stop(&mut self) {
        self.orders.stop.store(true, Ordering::Release);
        self.orders.alarm.ring();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its sockets are closed all the same.
            let _ = thread.join();
        }
    }
}

struct Worker {
    poll: Poll,
    listeners: Listeners,
    distribution: Distribution,
    orders: Arc<Orders>,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.orders.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            let mut timeout =
                self.listeners.next_retry().map(|at| at.saturating_duration_since(now));
            self.orders.alarm.doorbell.rest(false);
            // The second look: whatever was asked for before the rest does not ring.
            if self.has_work(now) {
                timeout = Some(std::time::Duration::ZERO);
            }
            // EINTR is as good as an event; nothing else is to be expected of a valid poll.
            let _ = self.poll.poll(&mut events, timeout);
            self.orders.alarm.doorbell.rise();
            for event in &events {
                self.listeners.note(event.token());
            }
            let now = Instant::now();
            self.obey(now);
            self.listeners.sweep(now, &mut self.distribution);
            self.distribution.wake();
        }
    }

    /// Whether something can be done at once.
    fn has_work(&self, now: Instant) -> bool {
        if self.orders.stop.load(Ordering::Acquire) {
            return true;
        }
        if self.distribution.stalled.is_some() {
            return self.distribution.can_unstall();
        }
        !self.orders.queue.is_empty() || self.listeners.is_due(now)
    }

    fn obey(&mut self, now: Instant) {
        while self.distribution.has_room() {
            match self.orders.queue.pop() {
                Some(Command::Listen(bound)) => {
                    self.distribution.serve(&bound.service);
                    let id = bound.listener.id;
                    if let Err(error) = self.listeners.add(bound, self.poll.registry()) {
                        self.distribution.fail(id, error.raw_os_error().unwrap_or(0));
                    }
                }
                Some(Command::Close(id)) => {
                    let registry = self.poll.registry();
                    self.listeners.close(id, now, registry, &mut self.distribution);
                    self.distribution.tell_closed(id);
                }
                None => return,
            }
        }
    }
}

/// Spreads what is accepted over the loops.
struct Distribution {
    loops: Vec<LoopHandle>,
    /// By service: each server counts its own rounds.
    balancers: Vec<(Arc<Service>, Balancer)>,
    /// What found its loop's queue full, in order. One socket, and what closing may add.
    stalled: Option<(usize, Handoff)>,
    orders: Arc<Orders>,
}

impl Distribution {
    fn serve(&mut self, service: &Arc<Service>) {
        // Servers that are gone are held by nobody else.
        self.balancers.retain(|(each, _)| Arc::strong_count(each) > 1);
        if !self.balancers.iter().any(|(each, _)| Arc::ptr_eq(each, service)) {
            self.balancers.push((service.clone(), Balancer::new(service.balance)));
        }
    }

    fn can_unstall(&self) -> bool {
        self.stalled.as_ref().is_some_and(|(at, _)| {
            let shared = &self.loops[*at].0;
            !shared.handoff.is_full() || !self.loops[*at].is_alive()
        })
    }

    /// Puts an item into a loop's queue, or keeps it and asks that loop to ring.
    fn push(&mut self, at: usize, item: Handoff) {
        let target = &self.loops[at];
        if !target.is_alive() {
            return drop_item(item);
        }
        match target.0.handoff.push(item) {
            Ok(()) if target.is_alive() => {}
            // It died in between, and its queue was emptied before this came.
            Ok(()) => while target.0.handoff.pop().map(drop_item).is_some() {},
            Err(item) => {
                target.0.stalled.store(true, Ordering::Release);
                target.wake();
                self.stalled = Some((at, item));
            }
        }
    }

    fn wake(&self) {
        for each in &self.loops {
            if !each.0.handoff.is_empty() {
                each.wake();
            }
        }
    }

    /// Every loop hears it, after the last connection that it was given.
    fn tell_closed(&mut self, id: u32) {
        for at in 0..self.loops.len() {
            let mut item = Handoff::Closed(id);
            // Rare, and loops never wait for the acceptor: waiting here is short.
            while self.loops[at].is_alive() && !self.orders.stop.load(Ordering::Acquire) {
                match self.loops[at].0.handoff.push(item) {
                    Ok(()) => break,
                    Err(refused) => item = refused,
                }
                self.loops[at].wake();
                std::thread::yield_now();
            }
        }
    }
}

/// A socket that no loop will serve: closed, and counted as closed.
pub(crate) fn drop_item(item: Handoff) {
    if let Handoff::Accepted(accepted) = item {
        accepted.listener.release();
    }
}

impl Sink for Distribution {
    fn has_room(&mut self) -> bool {
        if let Some((at, item)) = self.stalled.take() {
            self.push(at, item);
        }
        self.stalled.is_none()
    }

    fn wait(&mut self) -> bool {
        for each in &self.loops {
            each.wake();
        }
        std::thread::yield_now();
        !self.orders.stop.load(Ordering::Acquire)
    }

    fn accept(&mut self, socket: Socket, peer: Address, listener: &Arc<Listener>) {
        let service = listener.service.as_ref();
        let balancer = self
            .balancers
            .iter_mut()
            .find(|(each, _)| service.is_some_and(|service| Arc::ptr_eq(each, service)));
        let chosen = balancer.and_then(|(_, each)| each.choose(&self.loops, peer.inet()));
        let item = Handoff::Accepted(Accepted { socket, peer, listener: listener.clone() });
        match chosen {
            Some(at) => {
                self.loops[at].0.connections.fetch_add(1, Ordering::Relaxed);
                self.push(at, item);
            }
            None => drop_item(item),
        }
    }

    fn fail(&mut self, listener: u32, errno: i32) {
        if let Some(each) = self.loops.iter().find(|each| each.is_alive()) {
            // Told to nobody if that queue is full just then; accepting goes on as it would.
            if each.0.handoff.push(Handoff::AcceptFailed(listener, errno)).is_ok() {
                each.wake();
            }
        }
    }
}
