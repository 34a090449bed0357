//! Where a connection goes next: the lists of those that go on, that wait, and that are over.

use super::datagrams::is_datagrams;
use super::{EventLoop, token};
use crate::conn::Next;
use std::sync::atomic::Ordering;

impl EventLoop {
    pub(super) fn go_on_with_next_ready(&mut self) {
        if let Some(slot) = self.ready.pop_front() {
            if let Some((_, conn)) = self.conns.get_mut(slot) {
                conn.is_ready = false;
            } else if is_datagrams(slot) {
                self.unready_datagrams(slot);
            }
            self.go_on(slot);
            self.io.publish_batch();
        }
    }

    /// Lets a connection go on that waited for the user to empty the ring.
    pub(super) fn go_on_after_waiting(&mut self, slot: u32) {
        if let Some((_, conn)) = self.conns.get_mut(slot) {
            conn.is_waiting = false;
        } else if is_datagrams(slot) {
            self.unwait_datagrams(slot);
        }
        self.go_on(slot);
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
        match next {
            Next::Wait => {}
            Next::Again if conn.is_ready => {}
            Next::Starve | Next::Hold(_) if conn.is_waiting => {}
            Next::Again => {
                conn.is_ready = true;
                self.ready.push_back(slot);
            }
            Next::Starve => {
                conn.is_waiting = true;
                self.starved.push_back(slot);
                self.io.is_crowded = true;
            }
            Next::Hold(position) => {
                conn.is_waiting = true;
                self.held.push_back((slot, position));
            }
            Next::Close(cause) => {
                if let Some(mut socket) = conn.close(cause) {
                    conn.calm(cause, &socket);
                    socket.deregister(self.poll.registry());
                    // Closed before the listener hears of it, for it may have waited for the descriptor.
                    drop(socket);
                    conn.listener.release();
                    self.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
                    self.io.shared.counters.closed(1);
                }
            }
        }
        let waits = conn.socket.is_some() && conn.is_ending();
        if waits && conn.deadline == 0 {
            conn.deadline = self.timers.at(self.io.now, conn.listener.limits.linger);
            self.timers.set(slot, 0, conn.deadline);
        }
        if !waits && conn.deadline != 0 {
            self.timers.set(slot, conn.deadline, 0);
            conn.deadline = 0;
        }
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
