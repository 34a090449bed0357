//! Where a socket goes next: it waits for an event, goes on in the next turn, is held, or is closed.

use super::EventLoop;
use super::datagrams::is_datagrams;
use crate::poll::Key;
use crate::run_queue::{Next, Scheduling};

impl EventLoop {
    /// Lets the first socket of the run queue go on.
    pub(super) fn go_on_with_next_ready(&mut self) {
        if let Some(slot) = self.run_queue.pop() {
            if let Some(scheduling) = self.scheduling_of(slot) {
                scheduling.leave_queue();
            }
            self.go_on(slot);
            self.inbound.publish_batch();
        }
    }

    /// Lets a socket go on that was held back.
    pub(super) fn go_on_after_hold(&mut self, slot: u32) {
        if let Some(scheduling) = self.scheduling_of(slot) {
            scheduling.credit.release();
        }
        self.go_on(slot);
    }

    fn scheduling_of(&mut self, slot: u32) -> Option<&mut Scheduling> {
        if is_datagrams(slot) {
            self.datagrams.get_mut(slot).map(|(_, socket)| &mut socket.scheduling)
        } else {
            self.connections.get_mut(slot).map(|(_, connection)| &mut connection.scheduling)
        }
    }

    /// Lets a socket do what it can.
    pub(super) fn go_on(&mut self, slot: u32) {
        if let Some((generation, connection)) = self.connections.get_mut(slot) {
            let next = connection.drive(slot, generation, &mut self.inbound);
            self.schedule(slot, next);
        } else if is_datagrams(slot) {
            self.go_on_with_datagrams(slot);
        }
    }

    /// Does what a connection needs next, and keeps its deadline and its notices in the loop's lists. To
    /// be called after everything that a connection does.
    pub(super) fn schedule(&mut self, slot: u32, next: Next) {
        let next = if next == Next::Relay { self.relay(slot) } else { next };
        let Some((generation, connection)) = self.connections.get_mut(slot) else { return };
        let key = Key::Connection { slot, generation };
        let next = connection.watch_writes(next, self.poll.registrar(), key);
        if connection.transport.take_starved() {
            self.starved.add(slot, generation, self.inbound.now);
        }
        let mut had_last_replies = false;
        self.run_queue.put(slot, next, &mut connection.scheduling, &mut self.inbound);
        if let Next::Close(cause) = next
            && let Some(mut socket) = connection.close(cause)
        {
            socket.deregister(self.poll.registrar());
            // Closed before the service hears of it: a listener may have waited for the descriptor.
            drop(socket);
            connection.place.free();
            self.unwatched.note_close(self.inbound.now);
            self.handle.release_connection();
            self.inbound.stats.counters.closed(1);
            had_last_replies = connection.was_counted_for_last_replies();
        }
        // The user has heard of its end: it takes nobody's place any more.
        let begins_last_replies =
            connection.awaits_last_replies() && connection.begins_last_replies();
        if begins_last_replies {
            connection.place.free();
        }
        let deadline = connection.next_deadline(self.timers.clock(self.inbound.now));
        if connection.transport.is_open() {
            self.timers.schedule(slot, &mut connection.scheduled, deadline);
        } else {
            self.timers.reschedule(slot, &mut connection.scheduled, None);
        }
        if !connection.notices.is_empty() && !connection.notices.listed {
            connection.notices.listed = true;
            self.untold.push_back(slot);
        }
        let source = connection.relays_to();
        if source.is_some() {
            self.inbound.stats.gauges.relayed(slot, connection.queued_for_relay());
        }
        let source = source.filter(|_| connection.has_room_for_relay());
        if !connection.transport.is_open() && connection.notices.closed {
            self.free_connection(slot);
        }
        if let Some(source) = source {
            self.go_on_relaying(source);
        }
        if begins_last_replies {
            self.begin_last_replies(slot, generation);
        }
        if had_last_replies {
            self.end_last_replies();
        }
    }

    /// Forgets a connection whose closing was told and whose socket is closed.
    pub(super) fn free_connection(&mut self, slot: u32) {
        self.connections.remove(slot);
    }

    /// Tells sockets that their limit in time has ended.
    pub(super) fn expire(&mut self) {
        while let Some(slot) = self.timers.expired(self.inbound.now) {
            if let Some((_, connection)) = self.connections.get_mut(slot) {
                connection.scheduled = None;
                let next = connection.expire(self.timers.clock(self.inbound.now));
                self.schedule(slot, next);
            } else if is_datagrams(slot) {
                self.expire_datagrams(slot);
            }
        }
    }
}
