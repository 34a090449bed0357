//! Sending and receiving datagrams, several in one call if the system can.
//!
//! The library `quinn-udp` does this for QUIC: it does not report truncation, sends to one peer per call,
//! and forbids fragments. Here a socket has many peers, and datagrams of up to 64 KiB.

// Linux does it in batches; its tests see that this works.
#[cfg(all(tells_locals, any(test, not(target_os = "linux"))))]
mod addressed;
#[cfg(target_os = "linux")]
mod batched;
#[cfg(tells_locals)]
mod control;
mod inbox;
mod local;
#[cfg(not(target_os = "linux"))]
mod single;
mod source;
#[cfg(target_os = "linux")]
mod train;

#[cfg(target_os = "linux")]
pub use batched::{Inbox, Outbox, dropped, take_trains};
use inbox::{Got, Memory};
pub use local::{Local, Source, tell_locals};
#[cfg(not(target_os = "linux"))]
pub use single::{Inbox, Outbox, dropped, take_trains};
pub use source::{HAS_SOURCES_V6, SourceGroup};

use std::net::SocketAddr;

/// The most datagrams that one call receives.
pub const RECEIVED_AT_ONCE: usize = 32;
/// The most datagrams that one call sends.
pub const SENT_AT_ONCE: usize = 64;
/// The largest datagram that can be received whole; a larger one is cut.
pub const LARGEST: usize = 64 << 10;

/// A received datagram in an [`Inbox`].
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// The sender; `None` if the system did not say.
    pub from: Option<SocketAddr>,
    /// Where it was sent to, of a socket that [tells it](tell_locals).
    pub local: Option<Local>,
    /// The payload.
    pub bytes: &'a [u8],
    /// The datagram was longer than asked for, and is cut.
    pub is_truncated: bool,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The destination; `None` on a connected socket.
    pub to: Option<SocketAddr>,
    /// Where it leaves from, of the destination's family; `None`: where the socket is bound, and the system chooses
    /// if that is no single address.
    pub source: Option<Source>,
    /// The payload.
    pub bytes: &'a [u8],
}

/// What a socket was told to say of what it receives, beside the sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// Several datagrams may come in one piece: see [`take_trains`].
    pub trains: bool,
    /// Where each was sent to: see [`tell_locals`].
    pub locals: bool,
}

#[cfg(test)]
mod tests {
    use super::{Extras, Inbox, Outbox, Outgoing, RECEIVED_AT_ONCE, SENT_AT_ONCE, take_trains};
    use socket2::SockRef;
    use std::net::UdpSocket;

    const TRAINS: Extras = Extras { trains: true, locals: false };

    fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").unwrap()
    }

    fn send_all(outbox: &mut Outbox, from: &UdpSocket, all: &[Outgoing<'_>]) {
        let mut sent = 0;
        while sent < all.len() {
            sent += outbox.send(&SockRef::from(from), &all[sent..]).unwrap();
        }
    }

    #[test]
    fn datagrams_to_several_peers_arrive_whole_and_in_order() {
        let (sender, one, other) = (socket(), socket(), socket());
        let payloads: Vec<Vec<u8>> = (0..40u8).map(|at| vec![at; usize::from(at) * 100]).collect();
        let all: Vec<Outgoing<'_>> = payloads
            .iter()
            .enumerate()
            .map(|(at, bytes)| {
                let to = if at % 2 == 0 { &one } else { &other };
                Outgoing { to: Some(to.local_addr().unwrap()), source: None, bytes }
            })
            .collect();
        send_all(&mut Outbox::new(), &sender, &all);
        for (first, receiver) in [(0, one), (1, other)] {
            let mut inbox = Inbox::new();
            let mut seen = Vec::new();
            while seen.len() < 20 {
                let count = inbox.receive(&SockRef::from(&receiver), 20, 65536).unwrap();
                for at in 0..count {
                    let datagram = inbox.get(at);
                    assert_eq!(datagram.from, Some(sender.local_addr().unwrap()));
                    assert!(!datagram.is_truncated);
                    seen.push(datagram.bytes.to_vec());
                }
            }
            let wanted: Vec<_> = payloads.iter().skip(first).step_by(2).cloned().collect();
            assert_eq!(seen, wanted);
        }
    }

    /// Runs of datagrams of one size, interrupted by another peer, another size, or an empty datagram.
    #[test]
    fn runs_to_one_peer_arrive_as_single_datagrams() {
        let (sender, one, other) = (socket(), socket(), socket());
        for socket in [&one, &other] {
            SockRef::from(socket).set_recv_buffer_size(4 << 20).unwrap();
        }
        let sizes = [64, 64, 64, 10, 64, 64, 0, 64, 1400, 1400, 1401, 1401, 200, 200, 300, 300, 1];
        let mut state = 7u32;
        for round in 0..200u32 {
            let payloads: Vec<(bool, Vec<u8>)> = (0..50u32)
                .map(|at| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let size = sizes[(state >> 16) as usize % sizes.len()];
                    let size = if round % 2 == 0 { 64 } else { size };
                    (state.is_multiple_of(5), vec![(at + round) as u8; size])
                })
                .collect();
            let all: Vec<Outgoing<'_>> = payloads
                .iter()
                .map(|(to_other, bytes)| {
                    let to = if *to_other { &other } else { &one };
                    Outgoing { to: Some(to.local_addr().unwrap()), source: None, bytes }
                })
                .collect();
            send_all(&mut Outbox::new(), &sender, &all);
            for (is_other, receiver) in [(false, &one), (true, &other)] {
                let wanted = payloads.iter().filter(|(to_other, _)| *to_other == is_other);
                for (_, bytes) in wanted {
                    let mut buffer = [0; 2000];
                    let length = receiver.recv(&mut buffer).unwrap();
                    assert!(buffer[..length] == bytes[..], "round {round}");
                }
            }
        }
    }

    #[test]
    fn a_datagram_that_is_too_long_is_cut_and_flagged() {
        let (sender, receiver) = (socket(), socket());
        let to = receiver.local_addr().unwrap();
        for length in [99, 100, 101] {
            sender.send_to(&vec![7; length], to).unwrap();
        }
        let mut inbox = Inbox::new();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let count = inbox.receive(&SockRef::from(&receiver), 3, 100).unwrap();
            seen.extend((0..count).map(|at| {
                let datagram = inbox.get(at);
                (datagram.bytes.len(), datagram.is_truncated)
            }));
        }
        assert_eq!(seen, [(99, false), (100, false), (100, true)]);
    }

    /// A socket that takes trains, with room for many; `None` if the kernel has no trains.
    fn train_socket() -> Option<UdpSocket> {
        let socket = socket();
        SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        take_trains(&SockRef::from(&socket)).then_some(socket)
    }

    fn send_to(outbox: &mut Outbox, from: &UdpSocket, to: &UdpSocket, payloads: &[Vec<u8>]) {
        let to = Some(to.local_addr().unwrap());
        let all: Vec<_> =
            payloads.iter().map(|bytes| Outgoing { to, source: None, bytes }).collect();
        send_all(outbox, from, &all);
    }

    /// Sizes that make all kinds of trains: long, short, with a shorter last datagram, of odd sizes, of single
    /// bytes, interrupted by empty datagrams and by datagrams too long for a train.
    const SIZES: [usize; 20] =
        [64, 64, 64, 10, 64, 64, 0, 64, 1400, 1400, 1401, 1401, 333, 333, 333, 7, 1, 1, 1, 9000];

    #[test]
    fn trains_of_several_senders_arrive_as_single_datagrams() {
        let Some(receiver) = train_socket() else { return };
        let senders = [socket(), socket(), socket()];
        let mut outboxes = [Outbox::new(), Outbox::new(), Outbox::new()];
        let mut inbox = Inbox::new();
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let (mut trains, mut datagrams) = (0, 0);
        for round in 0..150 {
            let mut wanted = [const { Vec::new() }; 3];
            for _ in 0..4 {
                let at = next() % 3;
                let payloads: Vec<Vec<u8>> = (0..next() % 90)
                    .map(|_| {
                        let size = if round % 2 == 0 { 64 } else { SIZES[next() % SIZES.len()] };
                        (0..size).map(|_| next() as u8).collect()
                    })
                    .collect();
                send_to(&mut outboxes[at], &senders[at], &receiver, &payloads);
                wanted[at].extend(payloads);
            }
            let mut seen = [const { Vec::new() }; 3];
            let total: usize = wanted.iter().map(Vec::len).sum();
            while seen.iter().map(Vec::len).sum::<usize>() < total {
                let count = next() % RECEIVED_AT_ONCE + 1;
                trains +=
                    inbox.receive_with(&SockRef::from(&receiver), count, 65536, TRAINS).unwrap();
                datagrams += inbox.len();
                for at in 0..inbox.len() {
                    let datagram = inbox.get(at);
                    let is_his = |each: &UdpSocket| each.local_addr().ok() == datagram.from;
                    let sender = senders.iter().position(is_his).unwrap();
                    assert!(!datagram.is_truncated);
                    seen[sender].push(datagram.bytes.to_vec());
                }
            }
            assert!(seen == wanted, "round {round}");
        }
        assert!(trains * 2 < datagrams, "{trains} trains of {datagrams} datagrams");
    }

    #[test]
    fn each_datagram_of_a_train_is_cut_and_not_the_train() {
        let Some(receiver) = train_socket() else { return };
        let sender = socket();
        let sizes = [150, 150, 150, 100, 101, 101, 1, 100, 100, 99];
        let payloads: Vec<Vec<u8>> = sizes.iter().map(|size| vec![*size as u8; *size]).collect();
        send_to(&mut Outbox::new(), &sender, &receiver, &payloads);
        let mut inbox = Inbox::new();
        let mut seen = Vec::new();
        while seen.len() < sizes.len() {
            inbox.receive_with(&SockRef::from(&receiver), 9, 100, TRAINS).unwrap();
            seen.extend((0..inbox.len()).map(|at| {
                let datagram = inbox.get(at);
                assert!(datagram.bytes.iter().all(|byte| *byte == datagram.bytes[0]));
                (usize::from(datagram.bytes[0]), datagram.bytes.len(), datagram.is_truncated)
            }));
        }
        let wanted: Vec<_> =
            sizes.iter().map(|size| (*size, 100.min(*size), *size > 100)).collect();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn an_empty_datagram_arrives_on_a_socket_that_takes_trains() {
        let Some(receiver) = train_socket() else { return };
        let sender = socket();
        for bytes in [&b""[..], b"", b"x", b""] {
            sender.send_to(bytes, receiver.local_addr().unwrap()).unwrap();
        }
        let mut inbox = Inbox::new();
        let mut lengths = Vec::new();
        while lengths.len() < 4 {
            inbox.receive_with(&SockRef::from(&receiver), 9, 100, TRAINS).unwrap();
            lengths.extend((0..inbox.len()).map(|at| inbox.get(at).bytes.len()));
        }
        assert_eq!(lengths, [0, 0, 1, 0]);
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_ends_the_batch_before_it() {
        let (sender, receiver) = (socket(), socket());
        let to = Some(receiver.local_addr().unwrap());
        let large = vec![0; 66_000];
        let all = [
            Outgoing { to, source: None, bytes: b"a" },
            Outgoing { to, source: None, bytes: &large },
        ];
        let mut outbox = Outbox::new();
        assert_eq!(outbox.send(&SockRef::from(&sender), &all).unwrap(), 1);
        assert!(outbox.send(&SockRef::from(&sender), &all[1..]).is_err());
    }

    #[test]
    fn one_call_sends_a_limited_number_of_datagrams() {
        let (sender, receiver) = (socket(), socket());
        let to = Some(receiver.local_addr().unwrap());
        let all = vec![Outgoing { to, source: None, bytes: b"" }; SENT_AT_ONCE + 1];
        let mut outbox = Outbox::new();
        let sent = outbox.send(&SockRef::from(&sender), &all).unwrap();
        assert!((1..=SENT_AT_ONCE).contains(&sent));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn datagrams_that_the_kernel_dropped_are_counted() {
        let (sender, receiver) = (socket(), socket());
        SockRef::from(&receiver).set_recv_buffer_size(0).unwrap();
        let to = receiver.local_addr().unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], to).unwrap();
        }
        let dropped = super::dropped(&SockRef::from(&receiver)).unwrap();
        assert!((50..100).contains(&dropped), "{dropped}");
    }
}
