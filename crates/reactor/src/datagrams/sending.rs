//! Sending: datagrams that were written together go out in one call, and wait only if the kernel has no room.

use super::send_queue::COST;
use super::{DatagramSocket, local};
use crate::address::Address;
use crate::inbound::{BUDGET, Inbound};
use crate::poll::{Interest, Key, Registrar};
use millrace_ring::record;
use millrace_sys::datagrams::{Outbox, Outgoing, SENT_AT_ONCE};
use socket2::SockRef;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

/// What the record of a datagram to send says of the address that it leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// `SEND`: nothing. If the socket is bound to several addresses, the system chooses.
    FromAny,
    /// `SEND_FROM`: the address is in the record.
    FromSource,
}

/// How far the kernel took a batch.
struct Sent {
    /// How many of the first are done with, sent or not.
    done: usize,
    /// The kernel has no room for the next one.
    is_full: bool,
}

impl DatagramSocket {
    /// Sends what `SEND` and `SEND_FROM` records hold, in order.
    pub(crate) fn send<'a>(
        &mut self,
        records: impl Iterator<Item = (Sending, &'a [u8])>,
        inbound: &Inbound,
        outbox: &mut Outbox,
    ) {
        if self.socket.is_none() {
            return;
        }
        let all: Vec<Outgoing<'a>> = records
            .map(|(sending, payload)| {
                let (to, source, bytes) = match sending {
                    Sending::FromAny => {
                        let (to, bytes) = payload.split_at(record::address::LENGTH as usize);
                        (to, None, bytes)
                    }
                    Sending::FromSource => local::split_departure(payload),
                };
                Outgoing { to: self.target(to), source, bytes }
            })
            .collect();
        let mut done = 0;
        if self.send_queue.is_empty() && self.ready.writable {
            done = self.send_batch(&all, inbound, outbox).done;
        }
        for outgoing in &all[done..] {
            self.send_queue.push(*outgoing);
        }
    }

    /// The address that a datagram is sent to, in the family of the socket; `None` on a connected socket.
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

    /// Sends what waits, within the budget; true if there is more, and room for it.
    pub(super) fn send_queued(&mut self, inbound: &Inbound, outbox: &mut Outbox) -> bool {
        let enough = self.send_queue.cost().saturating_sub(4 * BUDGET as usize);
        while self.ready.writable && !self.send_queue.is_empty() && self.send_queue.cost() >= enough
        {
            let queue = std::mem::take(&mut self.send_queue);
            let batch = queue.front(SENT_AT_ONCE);
            let Sent { done, is_full } = self.send_batch(&batch, inbound, outbox);
            self.send_queue = queue;
            self.send_queue.pop(done);
            if is_full {
                break;
            }
        }
        self.note_progress();
        self.ready.writable && !self.send_queue.is_empty()
    }

    /// Watches for room in the kernel while something waits for it.
    pub(crate) fn watch_writes(&mut self, registrar: Registrar<'_>, key: Key) {
        let waits = !self.send_queue.is_empty() && !self.ready.writable;
        if self.watches_writes == waits || !Registrar::WATCHES_CHANGE {
            return;
        }
        let Some(socket) = &self.socket else { return };
        let interest = if waits { Interest::ReadAndWrite } else { Interest::Read };
        match registrar.rewatch(socket, key, interest) {
            Ok(()) => self.watches_writes = waits,
            // It is tried again after whatever the socket does next.
            Err(error) => self.note_error(&error, false),
        }
    }

    /// Tells the user that there is room, if it asked for that.
    fn note_progress(&mut self) {
        if self.drain_asked && self.send_queue.cost() <= self.high_water / 2 {
            self.drain_asked = false;
            self.notices.drain = true;
        }
    }

    /// The user asks to be told when the queue is at the low-water mark.
    pub(crate) fn ask_for_drain(&mut self) {
        self.drain_asked = true;
        self.note_progress();
    }

    fn send_batch(&mut self, all: &[Outgoing<'_>], inbound: &Inbound, outbox: &mut Outbox) -> Sent {
        let mut done = 0;
        let mut is_second_try = false;
        while done < all.len() {
            let Some(socket) = &self.socket else { break };
            let result = socket.try_io(|| outbox.send(&SockRef::from(&**socket), &all[done..]));
            match result {
                Ok(count) => {
                    let bytes = all[done..done + count].iter().map(|each| each.bytes.len());
                    let bytes = bytes.sum::<usize>();
                    self.handle.counts.sent.add(count as u64);
                    self.handle.counts.bytes_written.add(bytes as u64);
                    self.handle.counts.done.add((bytes + count * COST) as u64);
                    inbound.stats.counters.sent(bytes as u64);
                    done += count;
                    is_second_try = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                    return Sent { done, is_full: true };
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note_error(&error, false);
                    // On a connected socket this may be the error of an earlier datagram.
                    if self.is_connected && !is_second_try {
                        is_second_try = true;
                        continue;
                    }
                    is_second_try = false;
                    self.handle.counts.done.add((all[done].bytes.len() + COST) as u64);
                    done += 1;
                }
            }
        }
        Sent { done, is_full: false }
    }
}

#[cfg(test)]
mod tests {
    use super::{COST, Sending};
    use crate::address::Address;
    use crate::datagrams::DatagramOptions;
    use crate::datagrams::testing::Setup;
    use crate::notices::Cause;
    use crate::run_queue::Next;
    use millrace_ring::record::reason;
    use std::net::Ipv4Addr;

    /// A socket that is only said to have no room: a loopback without room cannot be made on purpose.
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
            let record = (Sending::FromAny, &payload[..]);
            self.socket.send(std::iter::once(record), &self.inbound, &mut self.boxes.outbox);
        }
    }

    #[test]
    fn datagrams_wait_in_order_while_the_kernel_has_no_room() {
        let mut setup = full();
        for at in 0..100 {
            setup.send(&[at]);
        }
        setup.socket.ask_for_drain();
        assert!(!setup.socket.notices.drain);
        assert_eq!(setup.socket.handle.done(), 0);
        setup.socket.ready.writable = true;
        assert_eq!(setup.drive(), Next::Wait);
        assert!(setup.socket.notices.drain, "there is room");
        assert_eq!(setup.socket.handle.done(), 100 * (COST as u64 + 1));
        for at in 0..100 {
            let mut bytes = [0; 9];
            assert_eq!(setup.peer.recv(&mut bytes).unwrap(), 1);
            assert_eq!(bytes[0], at);
        }
        // Nothing is left that could overtake.
        setup.send(b"!");
        assert_eq!(setup.socket.handle.counts().sent, 101);
    }

    #[test]
    fn waiting_datagrams_are_sent_before_the_end_or_given_up_at_the_deadline() {
        let mut setup = full();
        setup.send(b"last");
        assert_eq!(setup.socket.end(), Next::Wait);
        assert_eq!(setup.socket.expire(), Next::Close(Cause::of(reason::LINGER_TIMEOUT)));
        setup.socket.ready.writable = true;
        assert_eq!(setup.drive(), Next::Close(Cause::NONE));
        let mut bytes = [0; 9];
        assert_eq!(setup.peer.recv(&mut bytes).unwrap(), 4);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn waiting_datagrams_keep_the_address_that_they_leave_from() {
        use millrace_ring::record::departure;
        let options = DatagramOptions::new(1, (Ipv4Addr::UNSPECIFIED, 0).into());
        let mut setup = Setup::new(1 << 20, &options);
        setup.socket.ready.writable = false;
        let port = setup.socket.port;
        let hosts = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 3], [127, 0, 0, 2]];
        let records = hosts.map(|host| {
            let mut payload = vec![0; departure::DEPARTURE_SIZE as usize];
            let (to, source) = payload.split_at_mut(departure::SOURCE as usize);
            Address::Inet(setup.peer.local_addr().unwrap()).encode(to);
            Address::Inet((host, port).into()).encode(source);
            payload.extend_from_slice(&host);
            payload
        });
        let records = records.iter().map(|payload| (Sending::FromSource, &payload[..]));
        setup.socket.send(records, &setup.inbound, &mut setup.boxes.outbox);
        assert_eq!(setup.socket.handle.done(), 0);
        setup.socket.ready.writable = true;
        assert_eq!(setup.drive(), Next::Wait);
        for host in hosts {
            let mut bytes = [0; 9];
            let (length, from) = setup.peer.recv_from(&mut bytes).unwrap();
            assert_eq!((&bytes[..length], from), (&host[..], (host, port).into()));
        }
    }
}
