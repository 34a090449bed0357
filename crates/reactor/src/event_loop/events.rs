//! What the kernel says: events, and to whom they go.

use super::EventLoop;
use crate::inbound::BATCH;
use crate::poll::{Events, Key};
use std::mem;
use std::time::Duration;

impl EventLoop {
    /// Sleeps until there are events, no longer than `timeout`. Other threads do not ring after this.
    pub(super) fn wake_after(&mut self, timeout: Option<Duration>) {
        self.ask_for_events(timeout);
        self.handle.0.alarm.doorbell.rise();
    }

    /// Asks the kernel for events.
    pub(super) fn ask_for_events(&mut self, timeout: Option<Duration>) {
        self.poll.wait(&mut self.events, timeout);
    }

    /// Takes the events that there are, and then those that came meanwhile, before the user's thread is
    /// woken: waking costs more than asking the kernel once more, and busy peers send meanwhile. After a
    /// single event, or much data, the user is woken at once, so that a flood delays nobody further.
    pub(super) fn take_events_twice(&mut self) {
        let before = self.inbound.ring.position();
        let seen = self.take_events();
        let gathered = self.inbound.ring.position().wrapping_sub(before);
        if seen > 1 && gathered < BATCH {
            self.ask_for_events(Some(Duration::ZERO));
            self.take_events();
        }
    }

    /// Takes the events that there are. Returns how many there were.
    pub(super) fn take_events(&mut self) -> usize {
        let mut seen = 0;
        let events = mem::replace(&mut self.events, Events::none());
        for event in events.iter() {
            seen += 1;
            match event.key() {
                Key::Waker => continue,
                Key::Listener(at) => {
                    self.listeners.note_event(at);
                    continue;
                }
                Key::Connecting { slot, generation } => {
                    self.dial_answered(slot, generation, event);
                    continue;
                }
                Key::AwaitingHeader { slot, generation } => {
                    self.read_header(slot, generation);
                }
                Key::Datagrams { slot, generation } => {
                    self.note_datagram_event(slot, generation, event);
                }
                Key::Connection { slot, generation } => {
                    // Not found if the event is of a connection that had this slot before.
                    let found = self.connections.find(slot, generation);
                    let Some(connection) = found else { continue };
                    connection.transport.note(event);
                    let next = connection.drive(slot, generation, &mut self.inbound);
                    self.schedule(slot, next);
                }
            }
            self.inbound.publish_batch();
        }
        self.events = events;
        self.events.clear();
        seen
    }
}
