//! What a loop has to tell its user beside data: as far as the ring has room, and never lost.

use super::EventLoop;
use millrace_ring::record::accept_error;

impl EventLoop {
    /// Says what there is to say, as far as the ring has room.
    pub(super) fn tell(&mut self) {
        while let Some((kind, id, errno)) = self.news.front().copied() {
            let mut payload = [0; accept_error::ACCEPT_SIZE as usize];
            payload[..4].copy_from_slice(&id.to_ne_bytes());
            payload[4..].copy_from_slice(&errno.to_ne_bytes());
            // All that listeners told before has to be told before: opens come first.
            if !self.untold.is_empty() && !self.tell_untold()
                || !self.io.control(0, 0, kind, &payload)
            {
                return;
            }
            self.news.pop_front();
        }
        self.tell_untold();
    }

    fn tell_untold(&mut self) -> bool {
        while let Some(slot) = self.untold.front().copied() {
            if !self.tell_one(slot) {
                return false;
            }
        }
        true
    }

    /// Tells what one connection has to tell; false if the ring is full.
    pub(super) fn tell_one(&mut self, slot: u32) -> bool {
        let Some((generation, conn)) = self.conns.get_mut(slot) else {
            self.untold.retain(|each| *each != slot);
            return true;
        };
        let was_opening = conn.notes.opening.is_some();
        if !conn.notes.tell(slot, generation, &mut self.io) {
            return false;
        }
        if conn.notes.listed {
            conn.notes.listed = false;
            // Told in the order of the list, but for a new connection, which is told at once.
            if self.untold.front() == Some(&slot) {
                self.untold.pop_front();
            } else if self.untold.back() == Some(&slot) {
                self.untold.pop_back();
            } else {
                self.untold.retain(|each| *each != slot);
            }
        }
        if conn.socket.is_none() && conn.notes.closed {
            self.free(slot);
        } else if was_opening {
            // Reading waited for it.
            self.go_on(slot);
        }
        true
    }
}
