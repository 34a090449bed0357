//! What a user tells its loops, one record each.

use super::User;
use crate::support::event::{Closed, Event, Key, What};
use crate::support::frames;
use millrace_reactor::{Framing, Timeouts};
use millrace_ring::record::{HEADER, Label, address, kind, timeouts};
use std::net::{IpAddr, SocketAddr};

impl User {
    /// Publishes one record, waiting for room in the ring. Input is not taken meanwhile: a loop empties this
    /// ring even if nobody empties the other.
    fn send(&mut self, key: Key, kind: u32, payload: &[u8]) {
        let label = Label { slot: key.slot, generation: key.generation, kind };
        let mut is_second_look = false;
        self.until(|user| {
            let lane = &mut user.lanes[key.lane];
            if is_second_look {
                lane.handle.await_room();
            }
            if lane.outbound.push(label, payload, 0) {
                lane.outbound.publish();
                lane.handle.wake();
                user.is_stirred = true;
                return Some(());
            }
            is_second_look = true;
            None
        });
    }

    /// Writes bytes that follow from the connection's own input, in as many records as that takes.
    pub fn write(&mut self, key: Key, bytes: &[u8]) {
        self.send_parts(key, kind::WRITE, bytes);
    }

    /// Writes bytes that somebody else has caused.
    pub fn push(&mut self, key: Key, bytes: &[u8]) {
        self.send_parts(key, kind::PUSH, bytes);
    }

    fn send_parts(&mut self, key: Key, kind: u32, bytes: &[u8]) {
        let largest = self.lanes[key.lane].outbound.capacity() / 4 - HEADER;
        for part in bytes.chunks(largest as usize) {
            self.send(key, kind, part);
        }
    }

    /// Ends the output.
    pub fn end(&mut self, key: Key) {
        self.send(key, kind::END, &[]);
    }

    /// Says that no more input is wanted.
    pub fn discard(&mut self, key: Key) {
        self.send(key, kind::DISCARD, &[]);
    }

    /// Ends the output, and wants no more input.
    pub fn close(&mut self, key: Key) {
        self.end(key);
        self.discard(key);
    }

    pub fn reset(&mut self, key: Key) {
        self.send(key, kind::RESET, &[]);
    }

    pub fn destroy(&mut self, key: Key) {
        self.send(key, kind::DESTROY, &[]);
    }

    pub fn pause(&mut self, key: Key) {
        self.send(key, kind::PAUSE, &[]);
    }

    pub fn resume(&mut self, key: Key) {
        self.send(key, kind::RESUME, &[]);
    }

    pub fn ask(&mut self, key: Key) {
        self.send(key, kind::ASK, &[]);
    }

    pub fn flush(&mut self, key: Key) {
        self.send(key, kind::FLUSH, &[]);
    }

    /// Sets limits in time; `u32::MAX` leaves one as it is.
    pub fn set_timeouts(&mut self, key: Key, limits: Timeouts) {
        let mut payload = [0; timeouts::TIMEOUTS_SIZE as usize];
        for (at, limit) in [
            (timeouts::IDLE, limits.idle),
            (timeouts::RECEIVE, limits.receive),
            (timeouts::FIRST_MESSAGE, limits.first_message),
            (timeouts::FRAME, limits.frame),
            (timeouts::WRITE, limits.write),
            (timeouts::MAX_LIFETIME, limits.max_lifetime),
        ] {
            payload[at as usize..at as usize + 4].copy_from_slice(&limit.to_ne_bytes());
        }
        self.send(key, kind::TIMEOUTS, &payload);
    }

    /// Answers what was asked at the end of a time: it ends again in `left` milliseconds, or 0 closes.
    pub fn answer_timeout(&mut self, key: Key, reason: u32, left: u32) {
        let payload = [reason.to_ne_bytes(), left.to_ne_bytes()].concat();
        self.send(key, kind::TIMEOUT_ANSWER, &payload);
    }

    /// Returns when the loop has done all that was asked of this connection, and has seen all that
    /// the kernel had for it before. The connection must have nothing queued.
    pub fn settle(&mut self, key: Key) {
        self.flush(key);
        self.told(key, &What::Flushed);
        // Events come before records within a turn, so one more turn has seen what this one missed.
        self.flush(key);
        self.told(key, &What::Flushed);
    }

    /// Sends a datagram; `None` is the peer of a connected socket.
    pub fn send_to(&mut self, key: Key, to: Option<SocketAddr>, bytes: &[u8]) {
        let mut payload = encode_address(to);
        payload.extend_from_slice(bytes);
        self.send(key, kind::SEND, &payload);
    }

    /// Sends a datagram from an address of this machine.
    #[cfg(target_os = "linux")]
    pub fn send_from(&mut self, key: Key, source: IpAddr, to: SocketAddr, bytes: &[u8]) {
        let mut payload = encode_address(Some(to));
        payload.extend(encode_address(Some((source, 0).into())));
        payload.extend_from_slice(bytes);
        self.send(key, kind::SEND_FROM, &payload);
    }

    /// Sends the body of a frame back, in a frame.
    pub fn reply(&mut self, key: Key, framing: &Framing, frame: &[u8]) {
        let body = frames::decode(framing, frame);
        self.write_frame(key, framing, &body);
    }

    /// Sends a frame with that body.
    pub fn write_frame(&mut self, key: Key, framing: &Framing, body: &[u8]) {
        let mut bytes = Vec::with_capacity(body.len() + 16);
        frames::encode(framing, body, &mut bytes);
        self.write(key, &bytes);
    }

    /// Answers frames with themselves and ends with ends, until so many connections have closed.
    pub fn echo(&mut self, framing: &Framing, closes: usize) -> Vec<(Key, Closed)> {
        self.echo_with(framing, closes, |_, _| {})
    }

    /// Does the same, and shows every event to `look`.
    pub fn echo_with(
        &mut self,
        framing: &Framing,
        closes: usize,
        mut look: impl FnMut(&mut Self, &Event),
    ) -> Vec<(Key, Closed)> {
        let mut closed = Vec::new();
        while closed.len() < closes {
            let event = self.next();
            look(self, &event);
            match event.what {
                What::Data(frame) => self.reply(event.key, framing, &frame),
                What::Eof(_) => self.close(event.key),
                What::Close(how) => closed.push((event.key, how)),
                _ => {}
            }
        }
        closed
    }
}

/// An address as a record holds it, without a zone.
fn encode_address(of: Option<SocketAddr>) -> Vec<u8> {
    let mut payload = vec![0; address::LENGTH as usize];
    let mut put = |at: u32, bytes: &[u8]| {
        payload[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    };
    if let Some(of) = of {
        put(address::FAMILY, &if of.is_ipv4() { 4u16 } else { 6 }.to_ne_bytes());
        put(address::PORT, &of.port().to_ne_bytes());
        match of.ip() {
            IpAddr::V4(ip) => put(address::IP, &ip.octets()),
            IpAddr::V6(ip) => put(address::IP, &ip.octets()),
        }
    }
    payload
}
