//! Sending: what came in one go goes out in one call, and waits only where the kernel has no room.

use super::Datagrams;
use crate::address::Address;
use crate::io::{BUDGET, Io};
use millrace_ring::record;
use millrace_sys::datagrams::{Outbox, Outgoing, SENT_AT_ONCE};
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

/// What a datagram that waits counts for beside its bytes: its user counts the same.
const COST: usize = 64;

/// A datagram for which the kernel had no room.
#[derive(Debug)]
struct Queued {
    to: Option<SocketAddr>,
    bytes: Box<[u8]>,
}

/// Datagrams for which the kernel had no room, in order. The user bounds them: it sends no more than
/// its bound before it sees that something has gone.
#[derive(Debug, Default)]
pub(super) struct Queue {
    datagrams: VecDeque<Queued>,
    cost: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn push(&mut self, outgoing: Outgoing<'_>) {
        self.cost += outgoing.bytes.len() + COST;
        self.datagrams.push_back(Queued { to: outgoing.to, bytes: outgoing.bytes.into() });
    }

    fn pop(&mut self, count: usize) {
        for each in self.datagrams.drain(..count) {
            self.cost -= each.bytes.len() + COST;
        }
    }
}

/// How far the kernel took a batch.
struct Sent {
    /// So many of the first are done with, sent or not.
    done: usize,
    /// It has no room for the next one.
    is_full: bool,
}

impl Datagrams {
    /// Sends what `SEND` records hold, in order.
    pub(crate) fn send<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
        io: &Io,
        outbox: &mut Outbox,
    ) {
        if self.socket.is_none() {
            return;
        }
        let all: Vec<Outgoing<'a>> = payloads
            .map(|payload| {
                let (to, bytes) = payload.split_at(record::address::LENGTH as usize);
                Outgoing { to: self.target(to), bytes }
            })
            .collect();
        let mut done = 0;
        if self.queue.is_empty() && self.ready.writable {
            done = self.send_batch(&all, io, outbox).done;
        }
        for outgoing in &all[done..] {
            self.queue.push(*outgoing);
        }
    }

    /// Where a datagram goes, in the family of the socket.
    fn target(&self, address: &[u8]) -> Option<SocketAddr> {
        if self.is_connected {
            return None;
        }
        match Address::decode(address)? {
            SocketAddr::V4(to) if self.is_v6 => {
                Some((IpAddr::V6(to.ip().to_ipv6_mapped()), to.port()).into())
            }
            to => Some(to),
        }
    }

    /// Goes on with what waits, within the budget; true if there is more, and room for it.
    pub(super) fn send_queued(&mut self, io: &Io, outbox: &mut Outbox) -> bool {
        let enough = self.queue.cost.saturating_sub(4 * BUDGET as usize);
        while self.ready.writable && !self.queue.is_empty() && self.queue.cost >= enough {
            let queue = std::mem::take(&mut self.queue);
            let batch: Vec<Outgoing<'_>> = queue
                .datagrams
                .iter()
                .take(SENT_AT_ONCE)
                .map(|each| Outgoing { to: each.to, bytes: &each.bytes })
                .collect();
            let Sent { done, is_full } = self.send_batch(&batch, io, outbox);
            self.queue = queue;
            self.queue.pop(done);
            if is_full {
                break;
            }
        }
        self.answer();
        self.ready.writable && !self.queue.is_empty()
    }

    /// Says that there is room, if that was asked for.
    fn answer(&mut self) {
        if self.asked && self.queue.cost <= self.high_water / 2 {
            self.asked = false;
            self.notes.drain = true;
        }
    }

    /// Say so when little enough waits.
    pub(crate) fn ask(&mut self) {
        self.asked = true;
        self.answer();
    }

    fn send_batch(&mut self, all: &[Outgoing<'_>], io: &Io, outbox: &mut Outbox) -> Sent {
        let mut done = 0;
        let mut is_second_try = false;
        while done < all.len() {
            let Some(socket) = &self.socket else { break };
            let result = socket.try_io(|| outbox.send(&SockRef::from(&**socket), &all[done..]));
            match result {
                Ok(count) => {
                    let bytes = all[done..done + count].iter().map(|each| each.bytes.len());
                    let bytes = bytes.sum::<usize>();
                    self.share.sent(count as u64);
                    self.share.bytes_written(bytes as u64);
                    self.share.taken((bytes + count * COST) as u64);
                    io.shared.counters.sent(bytes as u64);
                    done += count;
                    is_second_try = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                    return Sent { done, is_full: true };
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error, false);
                    // On a connected socket it may be the error of what was sent before.
                    if self.is_connected && !is_second_try {
                        is_second_try = true;
                        continue;
                    }
                    is_second_try = false;
                    self.share.taken((all[done].bytes.len() + COST) as u64);
                    done += 1;
                }
            }
        }
        Sent { done, is_full: false }
    }
}

#[cfg(test)]
mod tests {
    use super::COST;
    use crate::address::Address;
    use crate::conn::Next;
    use crate::control::Cause;
    use crate::datagrams::DatagramOptions;
    use crate::datagrams::setup::Setup;
    use millrace_ring::record::reason;
    use std::net::Ipv4Addr;

    /// A kernel whose loopback has no room cannot be had for the asking: it is only said to have none.
    fn full() -> Setup {
        let options = DatagramOptions {
            max: 100,
            high_water: 10 * (COST + 1),
            ..DatagramOptions::new(1, (Ipv4Addr::LOCALHOST, 0).into())
        };
        let mut setup = Setup::new(4096, &options);
        setup.socket.ready.writable = false;
        setup
    }

    impl Setup {
        fn send(&mut self, text: &[u8]) {
            let mut payload = vec![0; 24];
            Address::Inet(self.peer.local_addr().unwrap()).encode(&mut payload);
            payload.extend_from_slice(text);
            self.socket.send(std::iter::once(&payload[..]), &self.io, &mut self.boxes.outbox);
        }
    }

    #[test]
    fn what_the_kernel_has_no_room_for_waits_in_order() {
        let mut setup = full();
        for at in 0..100 {
            setup.send(&[at]);
        }
        setup.socket.ask();
        assert!(!setup.socket.notes.drain);
        assert_eq!(setup.socket.share.done(), 0);
        setup.socket.ready.writable = true;
        assert_eq!(setup.drive(), Next::Wait);
        assert!(setup.socket.notes.drain, "there is room");
        assert_eq!(setup.socket.share.done(), 100 * (COST as u64 + 1));
        for at in 0..100 {
            let mut bytes = [0; 9];
            assert_eq!(setup.peer.recv(&mut bytes).unwrap(), 1);
            assert_eq!(bytes[0], at);
        }
        // Nothing is left that could overtake.
        setup.send(b"!");
        assert_eq!(setup.socket.share.counts().sent, 101);
    }

    #[test]
    fn what_waits_is_sent_before_the_end_or_given_up_when_its_time_is_over() {
        let mut setup = full();
        setup.send(b"last");
        assert_eq!(setup.socket.end(), Next::Wait);
        assert_eq!(setup.socket.expire(), Next::Close(Cause::of(reason::LINGER_TIMEOUT)));
        setup.socket.ready.writable = true;
        assert_eq!(setup.drive(), Next::Close(Cause::NONE));
        let mut bytes = [0; 9];
        assert_eq!(setup.peer.recv(&mut bytes).unwrap(), 4);
    }
}
