//! A network that is trusted.

use std::net::{IpAddr, Ipv6Addr};

/// An IP network: all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    is_v4: bool,
    first: u128,
    mask: u128,
}

impl Network {
    /// Makes the network of all addresses with the first `prefix` bits of `ip`; `None` if an address has not so many.
    /// A network of IPv4-mapped addresses is the one that they are mapped from.
    #[must_use]
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Self> {
        let (is_v4, bits, unused) = match ip {
            IpAddr::V4(_) => (true, prefix, 96),
            IpAddr::V6(v6) if prefix >= 96 && v6.to_ipv4_mapped().is_some() => {
                (true, prefix - 96, 96)
            }
            IpAddr::V6(_) => (false, prefix, 0),
        };
        if u32::from(bits) + unused > 128 {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - unused - u32::from(bits)).unwrap_or(0);
        // The bits above those of an IPv4 address are the same for all of them.
        Some(Self { is_v4, first: number(ip) & mask, mask })
    }

    /// Whether an address belongs to the network. An IPv4-mapped one belongs to networks of IPv4 only.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.is_v4 && number(ip) & self.mask == self.first
    }
}

/// An address as a number, IPv4 as if it were mapped.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => Ipv6Addr::to_bits(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    fn network(text: &str) -> Option<Network> {
        let (ip, prefix) = text.split_once('/').unwrap();
        Network::new(ip.parse().unwrap(), prefix.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::", "127.0.0.1"),
            ("::1/128", "::1", "::2"),
            ("fd00::/8", "fdff::7", "fe00::"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
            // Mapped addresses are IPv4, on either side.
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:0.0.0.0/96", "1.2.3.4", "::1"),
            ("::/0", "::fffe:1.2.3.4", "::ffff:1.2.3.4"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text} has {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} has not {outside}");
        }
    }

    #[test]
    fn a_prefix_is_no_longer_than_an_address() {
        for text in ["10.0.0.0/33", "::/129", "::ffff:10.0.0.0/129", "1.1.1.1/255"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
