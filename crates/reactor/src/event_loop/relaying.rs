//! Pipes: the input of one connection is passed on to another one.

use super::EventLoop;
use crate::run_queue::Next;

impl EventLoop {
    /// Passes on what a connection has received. Returns what it needs next.
    pub(super) fn relay(&mut self, slot: u32) -> Next {
        let Some((_, connection)) = self.connections.get_mut(slot) else { return Next::Wait };
        let Some(to) = connection.relays_to() else { return Next::Wait };
        // Not found if the other side is gone: the user has heard of that, and ends this one.
        let Some((from, into)) = self.connections.pair(slot, to) else { return Next::Wait };
        let (next, next_into) = from.relay_into(into, slot, to, &mut self.inbound);
        self.schedule(to.0, next_into);
        next
    }

    /// There is room for what that connection passes on: reads it again if it waited for that.
    pub(super) fn go_on_relaying(&mut self, (slot, generation): (u32, u32)) {
        if let Some(connection) = self.connections.find(slot, generation)
            && connection.end_relay_hold()
        {
            self.run_queue.put(slot, Next::Again, &mut connection.scheduling, &mut self.inbound);
        }
    }
}
