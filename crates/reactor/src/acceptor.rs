//! The thread that accepts for a group of several loops.

use crate::accepting::Sink;
use crate::address::Address;
use crate::balance::Balancer;
use crate::event_loop::News;
use crate::handoff::{Accepted, Handoff, Order};
use crate::listener::Listener;
use crate::listeners::Listeners;
use crate::service::Service;
use crate::shared::{Alarm, LoopHandle};
use crate::socket::Socket;
use crossbeam_queue::SegQueue;
use mio::{Events, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The token of a waker, in the acceptor and in every loop.
pub(crate) const WAKER: Token = Token(usize::MAX);

#[derive(Debug)]
struct Orders {
    alarm: Arc<Alarm>,
    /// Never more than two for each listener of the group, and its questions that wait for an answer.
    queue: SegQueue<Order>,
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
        let distribution = Distribution { loops, balancers: Vec::new(), stalled: VecDeque::new() };
        let worker =
            Worker { poll, listeners: Listeners::default(), distribution, orders: orders.clone() };
        let thread = std::thread::Builder::new()
            .name("millrace-accept".into())
            .spawn(move || worker.run())?;
        Ok(Self { orders, thread: Some(thread) })
    }

    pub(crate) fn order(&self, order: Order) {
        if let Order::Listen(bound) = &order {
            bound.service.accepted_by(&self.orders.alarm);
        }
        self.orders.queue.push(order);
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
            self.orders.alarm.doorbell.rest(false);
            // The second look: whatever was asked for before the rest does not ring.
            let timeout = if self.has_work(now) {
                Some(Duration::ZERO)
            } else if self.distribution.stalled.is_empty() {
                self.listeners.next_retry().map(|at| at.saturating_duration_since(now))
            } else {
                // The loop that has no room rings when it has.
                None
            };
            // EINTR is as good as an event; nothing else is to be expected of a valid poll.
            let _ = self.poll.poll(&mut events, timeout);
            self.orders.alarm.doorbell.rise();
            for event in &events {
                self.listeners.note(event.token());
            }
            self.obey();
            self.sweep();
            self.distribution.wake();
        }
        for (_, item) in self.distribution.stalled.drain(..) {
            drop_item(item);
        }
    }

    /// Whether something can be done at once.
    fn has_work(&self, now: Instant) -> bool {
        if self.orders.stop.load(Ordering::Acquire) {
            return true;
        }
        if !self.distribution.stalled.is_empty() {
            return self.distribution.can_unstall();
        }
        !self.orders.queue.is_empty() || self.listeners.is_due(now)
    }

    fn sweep(&mut self) {
        let registry = self.poll.registry();
        for id in self.listeners.sweep(Instant::now(), registry, &mut self.distribution) {
            self.distribution.tell_closed(id);
        }
    }

    fn obey(&mut self) {
        while self.distribution.has_room() {
            match self.orders.queue.pop() {
                Some(Order::Listen(bound)) => {
                    self.distribution.serve(&bound.service);
                    let id = bound.listener.id;
                    if let Err(error) = self.listeners.add(bound, self.poll.registry()) {
                        self.distribution.fail(id, error.raw_os_error().unwrap_or(0));
                    }
                }
                Some(Order::Close(id)) => {
                    if !self.listeners.close(id) {
                        self.distribution.tell_closed(id);
                    }
                }
                Some(Order::Pause { id, is_paused, ticket }) => {
                    let result = self.listeners.pause(id, is_paused);
                    self.distribution.answer(News::answer(ticket, result));
                }
                Some(Order::Duplicate { id, ticket }) => {
                    let result = self.listeners.duplicate(id);
                    self.distribution.answer(News::duplicated(ticket, result));
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
    /// What found its loop's queue full, and what came behind it, in order: one socket, and what is to
    /// be told of listeners.
    stalled: VecDeque<(usize, Handoff)>,
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
        self.stalled.front().is_some_and(|(at, _)| {
            let shared = &self.loops[*at].0;
            !shared.handoff.is_full() || !self.loops[*at].is_alive()
        })
    }

    /// Puts an item into a loop's queue, or keeps it and asks that loop to ring.
    fn push(&mut self, at: usize, item: Handoff) {
        self.stalled.push_back((at, item));
        if self.stalled.len() == 1 {
            self.move_on();
        }
    }

    /// Moves what is kept into the queues, as far as there is room.
    fn move_on(&mut self) {
        while let Some((at, item)) = self.stalled.pop_front() {
            let target = &self.loops[at];
            if !target.is_alive() {
                drop_item(item);
                continue;
            }
            match target.0.handoff.push(item) {
                Ok(()) if target.is_alive() => {}
                // It died in between, and its queue was emptied before this came.
                Ok(()) => while target.0.handoff.pop().map(drop_item).is_some() {},
                Err(item) => {
                    self.stalled.push_front((at, item));
                    target.0.stalled.store(true, Ordering::Release);
                    target.wake();
                    return;
                }
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
            self.push(at, Handoff::Closed(id));
        }
    }

    /// By any loop that lives. Where none does, nobody waits for an answer any more.
    fn answer(&self, news: News) {
        if let Some(each) = self.loops.iter().find(|each| each.is_alive()) {
            each.command(Handoff::Answer(news));
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
        self.move_on();
        self.stalled.is_empty()
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
        if let Some(at) = self.loops.iter().position(LoopHandle::is_alive) {
            self.push(at, Handoff::AcceptFailed(listener, errno));
        }
    }
}
