//! The records of a loop, as values.

use millrace_ring::Record;
use millrace_ring::record::{address, close, datagram, kind, news, open, trouble};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A connection and its loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub lane: usize,
    pub slot: u32,
    pub generation: u32,
}

/// One thing that a loop tells. For an event of a listener only the key's lane has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub key: Key,
    pub what: What,
}

/// What it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Open {
        listener: u32,
        remote: Option<SocketAddr>,
        /// The names of the peer's socket and of ours, for Unix sockets.
        paths: [Vec<u8>; 2],
    },
    /// Raw bytes, or a whole frame: the ledger puts parts together.
    Data(Vec<u8>),
    PartFirst(u32, Vec<u8>),
    Part(Vec<u8>),
    Eof(u32),
    Drain,
    Flushed,
    /// A time has ended, and the user is asked.
    Timeout(u32),
    Close(Closed),
    ListenerClosed(u32),
    AcceptError(u32, i32),
    Datagram {
        from: Option<SocketAddr>,
        local: Option<SocketAddr>,
        is_truncated: bool,
        bytes: Vec<u8>,
    },
    Trouble {
        errno: i32,
        count: u32,
        is_receiving: bool,
    },
    /// The number of a dial, and the error; 0 if the dial was cancelled.
    ConnectFailed(u32, i32),
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    pub reason: u32,
    pub errno: i32,
    pub received: u64,
    pub sent: u64,
}

fn word<const N: usize>(payload: &[u8], at: u32) -> [u8; N] {
    payload[at as usize..at as usize + N].try_into().unwrap()
}

fn number(payload: &[u8], at: u32) -> u32 {
    u32::from_ne_bytes(word(payload, at))
}

fn decode_address(payload: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_ne_bytes(word(payload, address::PORT));
    let ip: IpAddr = match u16::from_ne_bytes(word(payload, address::FAMILY)) {
        4 => Ipv4Addr::from(word::<4>(payload, address::IP)).into(),
        6 => Ipv6Addr::from(word::<16>(payload, address::IP)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn decode_paths(payload: &[u8]) -> [Vec<u8>; 2] {
    let mut rest = &payload[open::SIZE as usize..];
    let paths = [open::REMOTE, open::LOCAL].map(|at| {
        let is_path = u16::from_ne_bytes(word(payload, at + address::FAMILY)) == 1;
        let length = u16::from_ne_bytes(word(payload, at + address::PORT));
        let (path, behind) = rest.split_at(if is_path { length.into() } else { 0 });
        rest = behind;
        path.to_vec()
    });
    assert!(rest.is_empty());
    paths
}

impl Event {
    pub fn decode(lane: usize, record: Record<'_>) -> Self {
        let Record { label, payload } = record;
        let what = match label.kind {
            kind::OPEN => What::Open {
                listener: number(payload, open::LISTENER),
                remote: decode_address(&payload[open::REMOTE as usize..]),
                paths: decode_paths(payload),
            },
            kind::DATA => What::Data(payload.to_vec()),
            kind::PART_FIRST => What::PartFirst(number(payload, 0), payload[8..].to_vec()),
            kind::PART => What::Part(payload.to_vec()),
            kind::EOF => What::Eof(number(payload, 0)),
            kind::DRAIN => What::Drain,
            kind::FLUSHED => What::Flushed,
            kind::TIMEOUT => What::Timeout(number(payload, 0)),
            kind::CLOSE => What::Close(Closed {
                reason: number(payload, close::REASON),
                errno: i32::from_ne_bytes(word(payload, close::ERRNO)),
                received: u64::from_ne_bytes(word(payload, close::RECEIVED)),
                sent: u64::from_ne_bytes(word(payload, close::SENT)),
            }),
            kind::LISTENER_CLOSED => What::ListenerClosed(number(payload, 0)),
            kind::ACCEPT_ERROR => What::AcceptError(
                number(payload, news::NUMBER),
                i32::from_ne_bytes(word(payload, news::ERRNO)),
            ),
            kind::CONNECT_FAILED => What::ConnectFailed(
                number(payload, news::NUMBER),
                i32::from_ne_bytes(word(payload, news::ERRNO)),
            ),
            kind::DATAGRAM => {
                let flags = number(payload, datagram::FLAGS);
                let has_local = flags & datagram::HAS_LOCAL != 0;
                let head = if has_local { datagram::LOCAL_BYTES } else { datagram::BYTES };
                What::Datagram {
                    from: decode_address(&payload[datagram::FROM as usize..]),
                    local: has_local
                        .then(|| decode_address(&payload[datagram::LOCAL as usize..]))
                        .flatten(),
                    is_truncated: flags & datagram::CUT != 0,
                    bytes: payload[head as usize..].to_vec(),
                }
            }
            kind::TROUBLE => What::Trouble {
                errno: number(payload, trouble::ERRNO).cast_signed(),
                count: number(payload, trouble::COUNT),
                is_receiving: number(payload, trouble::RECEIVING) != 0,
            },
            other => panic!("a loop says nothing of kind {other}"),
        };
        Self { key: Key { lane, slot: label.slot, generation: label.generation }, what }
    }
}
