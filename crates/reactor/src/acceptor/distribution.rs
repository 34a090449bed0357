//! Gives accepted sockets to loops, through their hand-off queues.

use super::{Shared, TargetChange};
use crate::accepting::{AcceptSink, AcceptedSocket};
use crate::balancing::Balancer;
use crate::handoff::{LoopCommand, LoopHandle};
use crate::notices::LoopNotice;
use crate::service::Service;
use crate::sync::fence;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Spreads what is accepted over the targets.
pub(super) struct Distribution {
    shared: Arc<Shared>,
    targets: Vec<LoopHandle>,
    /// By service: each server has its own round-robin.
    balancers: Vec<(Arc<Service>, Balancer)>,
    /// What found its loop's queue full, and what came after it, in order: one socket, and what is to be
    /// told about listeners.
    stalled: VecDeque<Stalled>,
}

/// Something that waits for room in a queue.
enum Stalled {
    Command(LoopHandle, LoopCommand),
    /// That listener is closed, which is for all loops that are targets when its turn comes.
    ListenerClosed(u32),
}

impl Distribution {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, targets: Vec::new(), balancers: Vec::new(), stalled: VecDeque::new() }
    }

    /// Adds and removes targets as the owner has asked.
    pub(super) fn change_targets(&mut self) {
        while let Some(change) = self.shared.changes.pop() {
            match change {
                TargetChange::Add(target) => self.add_target(target),
                TargetChange::Remove(target) => self.remove_target(&target),
            }
        }
    }

    fn add_target(&mut self, target: LoopHandle) {
        if !self.targets.iter().any(|each| each.is_same(&target)) {
            self.targets.push(target);
        }
    }

    fn remove_target(&mut self, target: &LoopHandle) {
        self.targets.retain(|each| !each.is_same(target));
        self.redistribute(target);
        // For what is in its queue: targets only are woken after a sweep.
        target.wake();
    }

    /// Gives the others what a loop's queue had no room for. The order stays: a listener's end comes after
    /// its last connection.
    fn redistribute(&mut self, target: &LoopHandle) {
        for stalled in mem::take(&mut self.stalled) {
            match stalled {
                Stalled::ListenerClosed(id) => self.tell_closed(id),
                Stalled::Command(whose, command) if !whose.is_same(target) => {
                    self.push(whose, command);
                }
                Stalled::Command(_, LoopCommand::Accepted(accepted)) => {
                    target.release_connection();
                    self.give(accepted);
                }
                Stalled::Command(_, LoopCommand::AcceptFailed(listener, errno)) => {
                    self.fail(listener, errno);
                }
                Stalled::Command(..) => {}
            }
        }
    }

    /// Gives a server a balancer, unless it has one.
    pub(super) fn serve(&mut self, service: &Arc<Service>) {
        // Nobody else holds a server that is gone.
        self.balancers.retain(|(each, _)| Arc::strong_count(each) > 1);
        if !self.balancers.iter().any(|(each, _)| Arc::ptr_eq(each, service)) {
            self.balancers.push((service.clone(), Balancer::new(service.balance)));
        }
    }

    /// Whether a full queue holds everything up.
    pub(super) fn is_stalled(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// Whether the queue that was full has room now.
    pub(super) fn can_go_on(&self) -> bool {
        self.stalled.front().is_some_and(|stalled| match stalled {
            Stalled::Command(target, _) => {
                !target.0.handoff.is_full() || !target.takes_connections()
            }
            Stalled::ListenerClosed(_) => true,
        })
    }

    /// Puts a command into the queue of a target, or keeps it until there is room.
    fn push(&mut self, target: LoopHandle, command: LoopCommand) {
        let refused =
            if self.stalled.is_empty() { deliver(&target, command) } else { Some(command) };
        if let Some(command) = refused {
            self.stalled.push_back(Stalled::Command(target, command));
        }
    }

    /// Gives a connection to the target that the balancer of its server chooses. Without a target it closes.
    fn give(&mut self, accepted: AcceptedSocket) {
        let service = accepted.profile.service.as_ref();
        let balancer = self
            .balancers
            .iter_mut()
            .find(|(each, _)| service.is_some_and(|service| Arc::ptr_eq(each, service)));
        let chosen =
            balancer.and_then(|(_, each)| each.choose(&self.targets, accepted.peer.inet()));
        if let Some(at) = chosen {
            let target = self.targets[at].clone();
            target.assign_connection();
            self.push(target, LoopCommand::Accepted(accepted));
        }
    }

    /// Moves what is kept into the queues, as far as there is room.
    fn move_on(&mut self) {
        while let Some(stalled) = self.stalled.pop_front() {
            match stalled {
                Stalled::ListenerClosed(id) => {
                    // In front of what came later.
                    for target in self.targets.iter().rev() {
                        let command = LoopCommand::ListenerClosed(id);
                        self.stalled.push_front(Stalled::Command(target.clone(), command));
                    }
                }
                Stalled::Command(target, command) if !target.takes_connections() => {
                    self.stalled.push_front(Stalled::Command(target.clone(), command));
                    self.redistribute(&target);
                }
                Stalled::Command(target, command) => {
                    if let Some(command) = deliver(&target, command) {
                        self.stalled.push_front(Stalled::Command(target, command));
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn drop_stalled(&mut self) {
        for stalled in self.stalled.drain(..) {
            if let Stalled::Command(target, command) = stalled {
                target.drop_command(command);
            }
        }
    }

    /// Wakes the loops that have something in their queues.
    pub(super) fn wake_targets(&self) {
        for each in &self.targets {
            if !each.0.handoff.is_empty() {
                each.wake();
            }
        }
    }

    /// Tells every loop that a listener is closed, after the last connection that the loop was given.
    pub(super) fn tell_closed(&mut self, id: u32) {
        if !self.stalled.is_empty() {
            self.stalled.push_back(Stalled::ListenerClosed(id));
            return;
        }
        for at in 0..self.targets.len() {
            self.push(self.targets[at].clone(), LoopCommand::ListenerClosed(id));
        }
    }

    /// Answers the owner through any live loop. If no loop is alive, no answer is needed any more.
    pub(super) fn answer(&self, notice: LoopNotice) {
        if let Some(each) = self.targets.iter().find(|each| each.takes_connections()) {
            each.command(LoopCommand::Answer(notice));
        }
    }
}

/// Puts a command into a loop's hand-off queue. Gives it back if the queue is full; the loop then rings
/// when there is room. Drops it if the loop takes nothing any more.
fn deliver(target: &LoopHandle, command: LoopCommand) -> Option<LoopCommand> {
    if !target.takes_connections() {
        target.drop_command(command);
        return None;
    }
    match target.0.handoff.push(command) {
        Ok(()) => {
            // ORDER: the command before the look; a loop that ends has the flag before it empties its queue.
            fence(Ordering::SeqCst);
            if !target.takes_connections() {
                // The loop closed in between, and emptied its queue before this came.
                target.drop_handoff();
            }
            None
        }
        Err(command) => {
            // ORDER: a read-modify-write, as in a doorbell: the loop's swap finds it, or what the loop took before
            // that swap is seen at the second look.
            target.0.stalled.swap(true, Ordering::AcqRel);
            target.wake();
            Some(command)
        }
    }
}

impl AcceptSink for Distribution {
    fn has_room(&mut self) -> bool {
        self.move_on();
        self.stalled.is_empty()
    }

    fn accept(&mut self, accepted: AcceptedSocket) {
        // Changes are taken after the kernel gave the connection, so that they hold for all later ones.
        self.change_targets();
        self.give(accepted);
    }

    fn fail(&mut self, listener: u32, errno: i32) {
        if let Some(target) = self.targets.iter().find(|each| each.takes_connections()) {
            self.push(target.clone(), LoopCommand::AcceptFailed(listener, errno));
        }
    }
}
