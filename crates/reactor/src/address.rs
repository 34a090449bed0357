//! Socket addresses as they stand in a record.

use millrace_ring::record::address as field;
use std::net::{IpAddr, SocketAddr};

/// Writes an address into its 24 bytes; none is all zeros. IPv4 mapped into IPv6 is written as IPv4,
/// which is how it is shown and compared.
pub(crate) fn encode(address: Option<SocketAddr>, into: &mut [u8]) {
    into.fill(0);
    let Some(address) = address else { return };
    let mut put = |at: u32, bytes: &[u8]| {
        into[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    };
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
