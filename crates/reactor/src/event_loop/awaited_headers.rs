//! Accepted connections that begin with a PROXY header, until it is there. The user hears of none before that.
//!
//! They have their place among the connections of their server, as they would without a header.

use super::EventLoop;
use super::accepting::NewConnection;
use super::slab::Slab;
use crate::accepting::AcceptedSocket;
use crate::address::Address;
use crate::poll::{Key, MAX_SLOTS};
use crate::proxy::{self, ProxyHeader};
use crate::timers::{Moment, Timers};
use bytes::BytesMut;
use millrace_sys::SocketOption;
use std::io;
use std::mem;
use std::time::Instant;

/// Bytes that are looked at at once. Most headers are shorter.
const LOOK: usize = 512;

/// A connection whose header is not whole yet.
#[derive(Debug)]
struct AwaitedHeader {
    accepted: AcceptedSocket,
    /// What was read of the header.
    header: BytesMut,
    deadline: Moment,
}

/// How far reading has come.
enum Progress {
    /// The rest is still to come.
    Incomplete,
    Whole {
        header: ProxyHeader,
        /// Bytes behind it were seen.
        has_input: bool,
    },
    /// It is none, or will not come.
    Bad,
}

/// The connections of a loop whose headers are awaited.
#[derive(Debug)]
pub(super) struct AwaitedHeaders {
    entries: Slab<AwaitedHeader>,
    timers: Timers,
}

impl AwaitedHeaders {
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: Slab::new(), timers: Timers::new(now) }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn recycle(&mut self) {
        self.entries.recycle();
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    fn remove(&mut self, slot: u32) -> Option<AcceptedSocket> {
        let AwaitedHeader { accepted, deadline, .. } = self.entries.remove(slot)?;
        self.timers.remove(slot, deadline);
        Some(accepted)
    }
}

impl AwaitedHeader {
    /// Reads what there is of the header, and nothing of what is behind it. `scratch` is for what is looked at.
    fn read(&mut self, scratch: &mut BytesMut, read_bytes: &mut u64) -> Progress {
        let socket = &self.accepted.socket;
        // Until it would block, because some back ends report nothing more before that.
        loop {
            scratch.clear();
            match socket.peek_behind(scratch, LOOK) {
                Ok(0) => return Progress::Bad,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Progress::Incomplete;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Progress::Bad,
            }
            let known = self.header.len();
            self.header.extend_from_slice(scratch);
            let Ok(found) = proxy::take(&self.header) else { return Progress::Bad };
            let seen = self.header.len();
            let end = found.map_or(seen, |(length, _)| length);
            self.header.truncate(end);
            // What was looked at is there, so that it comes at once.
            scratch.clear();
            let read = socket.read_behind(scratch, end - known);
            if read.ok().map(|piece| piece.count) != Some(end - known) {
                return Progress::Bad;
            }
            *read_bytes += (end - known) as u64;
            if let Some((_, header)) = found {
                return Progress::Whole { header, has_input: end < seen };
            }
        }
    }
}

impl EventLoop {
    /// Takes a connection that begins with a header. Returns its socket if the poll does not take it.
    pub(super) fn await_header(
        &mut self,
        mut accepted: AcceptedSocket,
    ) -> Result<(), (AcceptedSocket, io::Error)> {
        let Some(timeout) = accepted.profile.proxy.as_ref().map(|proxy| proxy.timeout) else {
            return Ok(());
        };
        let awaited = &mut self.awaited_headers;
        let (slot, generation) = awaited.entries.next();
        let key = Key::AwaitingHeader { slot, generation };
        if slot >= MAX_SLOTS {
            self.drop_accepted(accepted);
            return Ok(());
        }
        if let Err(error) = accepted.socket.register(self.poll.registrar(), key) {
            return Err((accepted, error));
        }
        let deadline = awaited.timers.clock(self.inbound.now).refreshed().after(timeout);
        awaited.timers.insert(slot, deadline);
        awaited.entries.insert(AwaitedHeader { accepted, header: BytesMut::new(), deadline });
        Ok(())
    }

    /// Takes an event of a connection whose header is awaited.
    pub(super) fn read_header(&mut self, slot: u32, generation: u32) {
        // Not found if the event is of a socket that had this slot before.
        if self.awaited_headers.entries.find(slot, generation).is_some() {
            self.go_on_with_header(slot, false);
        }
    }

    /// Refuses connections whose header did not come in time.
    pub(super) fn refuse_late_headers(&mut self) {
        while let Some(slot) = self.awaited_headers.timers.expired(self.inbound.now) {
            self.go_on_with_header(slot, true);
        }
    }

    /// A listener is closed: no header is awaited any more. Those that are there are still read.
    pub(super) fn end_awaiting_headers_of(&mut self, id: u32) {
        for slot in 0..self.awaited_headers.entries.slots() {
            let entry = self.awaited_headers.entries.get_mut(slot);
            if entry.is_some_and(|(_, awaited)| awaited.accepted.profile.id == id) {
                self.go_on_with_header(slot, true);
            }
        }
    }

    /// Reads what there is of a header. If `is_last`, there will be no more of it.
    fn go_on_with_header(&mut self, slot: u32, is_last: bool) {
        let Some((_, awaited)) = self.awaited_headers.entries.get_mut(slot) else { return };
        let mut scratch = mem::take(&mut self.inbound.scratch);
        let mut read_bytes = 0;
        let progress = awaited.read(&mut scratch, &mut read_bytes);
        self.inbound.scratch = scratch;
        self.inbound.stats.counters.received(read_bytes);
        match progress {
            Progress::Incomplete if !is_last => {}
            Progress::Incomplete | Progress::Bad => self.refuse_connection(slot),
            Progress::Whole { header, has_input } => {
                self.open_announced(slot, header, has_input);
            }
        }
    }

    /// Resets a connection whose header is not there, or is none.
    fn refuse_connection(&mut self, slot: u32) {
        let Some(mut accepted) = self.awaited_headers.remove(slot) else { return };
        // If it fails, the connection is reset already.
        let _ = accepted.socket.with(|socket| SocketOption::Reset.set(socket, 1));
        accepted.socket.deregister(self.poll.registrar());
        self.drop_accepted(accepted);
        self.inbound.stats.counters.proxy_refused(1);
    }

    /// The header is there: from here on it is a connection like any other.
    fn open_announced(&mut self, slot: u32, header: ProxyHeader, has_input: bool) {
        let Ok(key) = self.next_connection_key() else { return self.refuse_connection(slot) };
        let Some(mut accepted) = self.awaited_headers.remove(slot) else { return };
        if accepted.socket.rekey(self.poll.registrar(), key).is_err() {
            accepted.socket.deregister(self.poll.registrar());
            return self.drop_accepted(accepted);
        }
        let AcceptedSocket { socket, peer, profile, place } = accepted;
        let (remote, local) = match header.addresses {
            Some((source, destination)) => (Address::Inet(source), Address::Inet(destination)),
            None => (peer, socket.local_address()),
        };
        let is_paused = false;
        self.begin_connection(NewConnection {
            socket,
            profile,
            place,
            remote,
            local,
            is_paused,
            has_input,
        });
    }
}
