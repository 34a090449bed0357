//! Which loop a new connection goes to.

use crate::shared::LoopHandle;
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

/// How connections are spread over loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other, counted over all listeners of a server.
    #[default]
    RoundRobin,
    /// By the peer's address without its port: one host stays on one loop.
    SourceHash,
    /// To the loop with the fewest connections at this moment; the first of several.
    LeastConnections,
}

/// A server's balancer. It runs on one thread, so its counter is plain.
#[derive(Debug)]
pub(crate) struct Balancer {
    balance: Balance,
    next: usize,
}

impl Balancer {
    pub(crate) fn new(balance: Balance) -> Self {
        Self { balance, next: 0 }
    }

    /// The loop for a peer, or none if every loop is dead.
    pub(crate) fn choose(
        &mut self,
        loops: &[LoopHandle],
        peer: Option<SocketAddr>,
    ) -> Option<usize> {
        match (self.balance, peer) {
            (Balance::LeastConnections, _) => least(loops),
            (Balance::SourceHash, Some(peer)) => {
                let start = (hash(peer.ip()) % loops.len() as u64) as usize;
                alive_from(loops, start)
            }
            // A peer without an address has nothing to hash.
            (Balance::RoundRobin | Balance::SourceHash, _) => {
                let chosen = alive_from(loops, self.next)?;
                self.next = (chosen + 1) % loops.len();
                Some(chosen)
            }
        }
    }
}

/// The loop with the fewest connections that are assigned to it and not closed.
pub(crate) fn least(loops: &[LoopHandle]) -> Option<usize> {
    (0..loops.len()).filter(|at| loops[*at].is_alive()).min_by_key(|at| loops[*at].connections())
}

fn alive_from(loops: &[LoopHandle], start: usize) -> Option<usize> {
    (0..loops.len()).map(|step| (start + step) % loops.len()).find(|at| loops[*at].is_alive())
}

/// Over the address alone, an IPv4 address mapped into IPv6 as IPv4. The same within one run of a
/// server; no promise beyond that.
fn hash(ip: IpAddr) -> u64 {
    // SipHash with the fixed keys of `DefaultHasher::new`.
    let mut hasher = std::hash::DefaultHasher::new();
    match ip.to_canonical() {
        IpAddr::V4(ip) => hasher.write(&ip.octets()),
        IpAddr::V6(ip) => hasher.write(&ip.octets()),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::hash;
    use std::net::IpAddr;

    #[test]
    fn a_mapped_address_hashes_as_what_it_maps() {
        let plain: IpAddr = "192.0.2.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(hash(plain), hash(mapped));
    }

    #[test]
    fn sixty_four_neighbours_use_all_of_four_loops() {
        let used: std::collections::HashSet<u64> =
            (1..=64u8).map(|last| hash(IpAddr::from([127, 0, 0, last])) % 4).collect();
        assert_eq!(used.len(), 4);
    }
}
