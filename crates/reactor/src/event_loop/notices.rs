//! Tells the user what there is to tell beside data, as far as the ring has room.

use super::EventLoop;
use super::datagrams::is_datagrams;
use crate::notices::LoopNotice;
use std::mem;

impl EventLoop {
    /// Tells as much as the ring has room for.
    pub(super) fn tell(&mut self) {
        while let Some(notice) = self.loop_notices.front() {
            let (kind, payload) = (notice.kind, notice.payload());
            // The notices of sockets go first: an opening comes before the closing of its listener.
            if !self.untold.is_empty() && !self.tell_sockets()
                || !self.inbound.control(0, 0, kind, &payload)
            {
                return;
            }
            let told = self.loop_notices.pop_front();
            if let Some(LoopNotice { duplicate: Some(duplicate), .. }) = told {
                self.inbound.give(duplicate);
            }
        }
        self.tell_sockets();
    }

    fn tell_sockets(&mut self) -> bool {
        while let Some(slot) = self.untold.front().copied() {
            if !self.tell_socket(slot) {
                return false;
            }
        }
        true
    }

    /// Tells the notices of one socket; false if the ring is full.
    pub(super) fn tell_socket(&mut self, slot: u32) -> bool {
        if is_datagrams(slot) {
            return self.tell_datagrams(slot);
        }
        let Some((generation, connection)) = self.connections.get_mut(slot) else {
            self.untold.retain(|each| *each != slot);
            return true;
        };
        let was_opening = connection.notices.opening.is_some();
        if !connection.notices.tell(slot, generation, &mut self.inbound) {
            return false;
        }
        let is_over = !connection.transport.is_open() && connection.notices.closed;
        if mem::take(&mut connection.notices.listed) {
            self.unlist(slot);
        }
        if is_over {
            self.free_connection(slot);
        } else if was_opening {
            // Reading waited for the opening.
            self.go_on(slot);
        }
        true
    }

    /// Removes a socket that has told all from the list. It is the first, or the last if it is new.
    pub(super) fn unlist(&mut self, slot: u32) {
        if self.untold.front() == Some(&slot) {
            self.untold.pop_front();
        } else if self.untold.back() == Some(&slot) {
            self.untold.pop_back();
        } else {
            self.untold.retain(|each| *each != slot);
        }
    }
}
