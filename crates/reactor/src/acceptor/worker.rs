//! What the acceptor's thread does.

use super::Shared;
use super::distribution::Distribution;
use crate::accepting::{AcceptSink, ListenerCommand, Listeners};
use crate::notices::LoopNotice;
use crate::poll::{Events, Key, Poll};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(super) struct Worker {
    poll: Poll,
    listeners: Listeners,
    distribution: Distribution,
    shared: Arc<Shared>,
}

impl Worker {
    pub(super) fn new(poll: Poll, shared: Arc<Shared>) -> Self {
        let distribution = Distribution::new(shared.clone());
        Self { poll, listeners: Listeners::default(), distribution, shared }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.shared.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.shared.alarm.doorbell.rest(false);
            // The second look: a command that came before the rest does not ring.
            let timeout = if self.has_work(now) {
                Some(Duration::ZERO)
            } else if self.distribution.is_stalled() {
                // The loop that has no room rings when it has.
                None
            } else {
                self.listeners.next_retry().map(|at| at.saturating_duration_since(now))
            };
            self.poll.wait(&mut events, timeout);
            self.shared.alarm.doorbell.rise();
            for event in events.iter() {
                if let Key::Listener(at) = event.key() {
                    self.listeners.note_event(at);
                }
            }
            self.take_commands();
            self.sweep();
            self.distribution.wake_targets();
        }
        self.distribution.drop_stalled();
    }

    /// Whether something can be done at once.
    fn has_work(&self, now: Instant) -> bool {
        if self.shared.stop.load(Ordering::Acquire) || !self.shared.changes.is_empty() {
            return true;
        }
        if self.distribution.is_stalled() {
            return self.distribution.can_go_on();
        }
        !self.shared.commands.is_empty() || self.listeners.is_due(now)
    }

    fn sweep(&mut self) {
        let registrar = self.poll.registrar();
        for id in self.listeners.sweep(Instant::now(), registrar, &mut self.distribution) {
            self.distribution.tell_closed(id);
        }
    }

    fn take_commands(&mut self) {
        // Not held up by a full queue: the target to be removed may be the one whose queue is full.
        self.distribution.change_targets();
        while self.distribution.has_room()
            && let Some(command) = self.shared.commands.pop()
        {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: ListenerCommand) {
        // Changes that were asked for before the command hold for it.
        self.distribution.change_targets();
        match command {
            ListenerCommand::Listen(bound) => {
                self.distribution.serve(&bound.service);
                let id = bound.profile.id;
                if let Err(error) = self.listeners.add(bound, self.poll.registrar()) {
                    self.distribution.fail(id, error.raw_os_error().unwrap_or(0));
                }
            }
            ListenerCommand::Close(id) => {
                if !self.listeners.close(id) {
                    self.distribution.tell_closed(id);
                }
            }
            ListenerCommand::Pause { id, is_paused, ticket } => {
                let result = self.listeners.pause(id, is_paused);
                self.distribution.answer(LoopNotice::answer(ticket, result));
            }
            ListenerCommand::Duplicate { id, ticket } => {
                let result = self.listeners.duplicate(id);
                self.distribution.answer(LoopNotice::duplicated(ticket, result));
            }
        }
    }
}
