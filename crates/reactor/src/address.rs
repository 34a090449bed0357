//! The address of one end of a connection, and how a record holds it.

use millrace_ring::record::address as field;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The address of one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// No address: a Unix socket that was not bound.
    Unnamed,
    /// An IP address and a port.
    Inet(SocketAddr),
    /// The path of a Unix socket; the first byte of an abstract name is 0.
    Unix(Box<[u8]>),
}

impl Address {
    /// The IP address and port; `None` for a Unix socket.
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }

    /// The bytes that follow the fixed part of a record.
    pub(crate) fn path(&self) -> &[u8] {
        match self {
            Self::Unix(path) => path,
            _ => &[],
        }
    }

    /// Reads an IP address from the 24 bytes of a record.
    pub(crate) fn decode(from: &[u8]) -> Option<SocketAddr> {
        let word = |at: u32| [0, 1].map(|byte| from[at as usize + byte]);
        let port = u16::from_ne_bytes(word(field::PORT));
        let ip = from[field::IP as usize..].first_chunk::<16>()?;
        match u16::from_ne_bytes(word(field::FAMILY)) {
            4 => Some((Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]), port).into()),
            6 => {
                let scope = u32::from_ne_bytes(*from[field::SCOPE as usize..].first_chunk()?);
                Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, scope).into())
            }
            _ => None,
        }
    }

    /// Writes the address into the 24 bytes of a record; no address is all zeros. IPv4 mapped into IPv6
    /// is written as IPv4, which is how it is shown and compared.
    pub(crate) fn encode(&self, into: &mut [u8]) {
        into.fill(0);
        let mut put = |at: u32, bytes: &[u8]| {
            into[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        };
        match self {
            Self::Unnamed => {}
            Self::Unix(path) => {
                put(field::FAMILY, &1u16.to_ne_bytes());
                put(field::PORT, &(path.len() as u16).to_ne_bytes());
            }
            Self::Inet(address) => {
                put(field::PORT, &address.port().to_ne_bytes());
                match address.ip().to_canonical() {
                    IpAddr::V4(ip) => {
                        put(field::FAMILY, &4u16.to_ne_bytes());
                        put(field::IP, &ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        put(field::FAMILY, &6u16.to_ne_bytes());
                        put(field::IP, &ip.octets());
                        if let SocketAddr::V6(address) = address {
                            put(field::SCOPE, &address.scope_id().to_ne_bytes());
                        }
                    }
                }
            }
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => Ok(()),
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => match path.split_first() {
                Some((0, name)) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                _ => write!(f, "unix:{}", String::from_utf8_lossy(path)),
            },
        }
    }
}
