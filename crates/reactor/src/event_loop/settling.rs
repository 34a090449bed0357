//! Where a connection goes next: the lists of those that go on, that wait, and that are over.

use super::datagrams::is_datagrams;
use super::{EventLoop, token};
use crate::conn::Next;
use crate::lists::Listed;
use std::sync::atomic::Ordering;

impl EventLoop {
    pub(super) fn go_on_with_next_ready(&mut self) {
        if let Some(slot) = self.lists.ready.pop_front() {
            if let Some(listed) = self.listed(slot) {
                listed.is_ready = false;
            }
            self.go_on(slot);
            self.io.publish_batch();
        }
    }

    /// Lets a socket go on that waited for the user to empty the ring.
    pub(super) fn go_on_after_waiting(&mut self, slot: u32) {
        if let Some(listed) = self.listed(slot) {
            listed.is_waiting = false;
        }
        self.go_on(slot);
    }

    /// In which lists a socket is.
    fn listed(&mut self, slot: u32) -> Option<&mut Listed> {
        if is_datagrams(slot) {
            self.datagrams.get_mut(slot).map(|(_, socket)| &mut socket.listed)
        } else {
            self.conns.get_mut(slot).map(|(_, conn)| &mut conn.listed)
        }
    }

    pub(super) fn go_on(&mut self, slot: u32) {
        if let Some((generation, conn)) = self.conns.get_mut(slot) {
            let next = conn.drive(slot, generation, &mut self.io);
            self.settle(slot, next);
        } else if is_datagrams(slot) {
            self.go_on_with_datagrams(slot);
        }
    }

    /// Puts a connection where it has to go next.
    pub(super) fn settle(&mut self, slot: u32, next: Next) {
        let Some((generation, conn)) = self.conns.get_mut(slot) else { return };
        let next = conn.watch_writes(next, self.poll.registry(), token(slot, generation));
        self.lists.put(slot, next, &mut conn.listed, &mut self.io);
        if let Next::Close(cause) = next
            && let Some(mut socket) = conn.close(cause)
        {
            conn.calm(cause, &socket);
            socket.deregister(self.poll.registry());
            // Closed before the listener hears of it, for it may have waited for the descriptor.
            drop(socket);
            conn.listener.release();
            self.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
            self.io.shared.counters.closed(1);
        }
        let waits = conn.socket.is_some() && conn.is_ending();
        let patience = waits.then_some(conn.listener.limits.linger);
        self.timers.keep(slot, &mut conn.deadline, self.io.now, patience);
        if !conn.notes.is_empty() && !conn.notes.listed {
            conn.notes.listed = true;
            self.untold.push_back(slot);
        }
        if conn.socket.is_none() && conn.notes.closed {
            self.free(slot);
        }
    }

    /// The last word was said, and the socket is gone.
    pub(super) fn free(&mut self, slot: u32) {
        self.conns.remove(slot);
    }

    pub(super) fn expire(&mut self) {
        while let Some(slot) = self.timers.expired(self.io.now) {
            if let Some((_, conn)) = self.conns.get_mut(slot) {
                conn.deadline = 0;
                let next = conn.expire();
                self.settle(slot, next);
            } else if is_datagrams(slot) {
                self.expire_datagrams(slot);
            }
        }
    }
}
