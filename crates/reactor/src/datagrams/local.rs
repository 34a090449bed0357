//! The local addresses of datagrams on a socket that is bound to all addresses: how records hold them, and when an
//! answer has to leave through the interface that the question came in through.

use crate::address::Address;
use millrace_ring::record::{address as field, departure};
use millrace_sys::datagrams::{Local, Source};
use std::net::{IpAddr, SocketAddr};

/// The interface that an answer from this address is bound to; 0: routing decides.
///
/// A link-local address means something on its own link only, and several links may have the same ones. An answer
/// from any other address goes where routing sends it: the way back may be another than the way here (asymmetric
/// routing, an address on the loopback that came in through a network card), and that interface may know no way. Nor
/// does any interface of a link know a way to 127.0.0.1, from which such an address can be asked.
fn zone(Local { ip, interface, .. }: Local, from: Option<SocketAddr>) -> u32 {
    let is_link_local = match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() && from.is_none_or(|from| !from.ip().to_canonical().is_loopback())
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if is_link_local { interface } else { 0 }
}

/// Writes where a datagram was sent to into the 24 bytes of a record.
pub(super) fn encode(local: Local, from: Option<SocketAddr>, port: u16, into: &mut [u8]) {
    Address::Inet(SocketAddr::new(local.ip, port)).encode(into);
    into[field::SCOPE as usize..][..4].copy_from_slice(&zone(local, from).to_ne_bytes());
}

/// Splits the payload of a `SEND_FROM`: the destination's 24 bytes, the source, and the datagram.
pub(super) fn split_departure(payload: &[u8]) -> (&[u8], Option<Source>, &[u8]) {
    let (head, bytes) = payload.split_at(departure::DEPARTURE_SIZE as usize);
    let (to, source) = head.split_at(departure::SOURCE as usize);
    let interface = millrace_ring::record::word(source, field::SCOPE);
    let source = Address::decode(source).map(|from| Source { ip: from.ip(), interface });
    (to, source, bytes)
}

#[cfg(test)]
mod tests {
    use super::{encode, split_departure};
    use millrace_ring::record::{address, departure};
    use millrace_sys::datagrams::{Local, Source};
    use std::net::{IpAddr, SocketAddr};

    /// What a source becomes that is read from a record and written back by the user.
    fn round(ip: &str, interface: u32, from: &str) -> Option<Source> {
        let local = Local { ip: ip.parse().unwrap(), interface, is_own: true };
        let mut payload = vec![0; departure::DEPARTURE_SIZE as usize];
        let from = from.parse().map(|ip: IpAddr| SocketAddr::new(ip, 7)).ok();
        encode(local, from, 9, &mut payload[departure::SOURCE as usize..]);
        payload.extend_from_slice(b"text");
        let (to, source, bytes) = split_departure(&payload);
        assert_eq!((to.len(), bytes), (address::LENGTH as usize, &b"text"[..]));
        source
    }

    #[test]
    fn only_an_answer_from_a_link_local_address_is_bound_to_its_interface() {
        let from = |ip: &str, interface| Some(Source { ip: ip.parse().unwrap(), interface });
        for ip in ["127.0.0.2", "10.0.0.7", "::1", "2001:db8::7", "fd00::7"] {
            assert_eq!(round(ip, 3, "10.0.0.1"), from(ip, 0));
        }
        for (ip, peer) in
            [("169.254.7.7", "10.0.0.1"), ("169.254.7.7", "169.254.1.1"), ("fe80::7", "fe80::1")]
        {
            assert_eq!(round(ip, 3, peer), from(ip, 3));
        }
    }

    #[test]
    fn an_answer_to_a_loopback_address_is_not_bound_to_an_interface() {
        let from = |ip: &str| Some(Source { ip: ip.parse().unwrap(), interface: 0 });
        for peer in ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1"] {
            assert_eq!(round("169.254.7.7", 3, peer), from("169.254.7.7"));
        }
    }
}
