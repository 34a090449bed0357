//! What a loop has to tell its user beside data: as far as the ring has room, and never lost.

use super::EventLoop;
use super::datagrams::is_datagrams;
use millrace_ring::record::{kind, news};
use millrace_sys::Duplicate;
use std::io;
use std::mem;

/// Something to tell of no connection: see `news` in the record table.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) kind: u32,
    pub(crate) number: u32,
    pub(crate) errno: i32,
    pub(crate) value: u32,
    /// What the value is the number of: closed if this is never told.
    pub(crate) duplicate: Option<Duplicate>,
}

impl News {
    pub(crate) fn of(kind: u32, number: u32) -> Self {
        Self { kind, number, errno: 0, value: 0, duplicate: None }
    }

    pub(crate) fn failed(kind: u32, number: u32, error: &io::Error) -> Self {
        Self { errno: error.raw_os_error().unwrap_or(0), ..Self::of(kind, number) }
    }

    /// The answer to a question: a value, or why there is none.
    pub(crate) fn answer(ticket: u32, result: io::Result<u32>) -> Self {
        let news = Self::of(kind::ANSWER, ticket);
        match result {
            Ok(value) => Self { value, ..news },
            Err(error) => Self { errno: error.raw_os_error().unwrap_or(-1), ..news },
        }
    }

    /// The answer to who asked for a duplicate.
    pub(crate) fn duplicated(ticket: u32, result: io::Result<Duplicate>) -> Self {
        match result {
            Ok(duplicate) => {
                let value = duplicate.number();
                Self { duplicate: Some(duplicate), ..Self::answer(ticket, Ok(value)) }
            }
            Err(error) => Self::answer(ticket, Err(error)),
        }
    }

    fn payload(&self) -> [u8; news::NEWS_SIZE as usize] {
        let mut payload = [0; news::NEWS_SIZE as usize];
        let mut put = |at: u32, bytes: [u8; 4]| {
            payload[at as usize..at as usize + 4].copy_from_slice(&bytes);
        };
        put(news::NUMBER, self.number.to_ne_bytes());
        put(news::ERRNO, self.errno.to_ne_bytes());
        put(news::VALUE, self.value.to_ne_bytes());
        payload
    }
}

impl EventLoop {
    /// Says what there is to say, as far as the ring has room.
    pub(super) fn tell(&mut self) {
        while let Some(news) = self.news.front() {
            let (kind, payload) = (news.kind, news.payload());
            // All that listeners told before has to be told before: opens come first.
            if !self.untold.is_empty() && !self.tell_untold()
                || !self.io.control(0, 0, kind, &payload)
            {
                return;
            }
            if let Some(News { duplicate: Some(duplicate), .. }) = self.news.pop_front() {
                self.io.give(duplicate);
            }
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
        if is_datagrams(slot) {
            return self.tell_datagrams(slot);
        }
        let Some((generation, conn)) = self.conns.get_mut(slot) else {
            self.untold.retain(|each| *each != slot);
            return true;
        };
        let was_opening = conn.notes.opening.is_some();
        if !conn.notes.tell(slot, generation, &mut self.io) {
            return false;
        }
        let is_over = conn.socket.is_none() && conn.notes.closed;
        if mem::take(&mut conn.notes.listed) {
            self.unlist(slot);
        }
        if is_over {
            self.free(slot);
        } else if was_opening {
            // Reading waited for it.
            self.go_on(slot);
        }
        true
    }

    /// It has told all. That is in the order of the list, but for a new connection, which is told at once.
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
