//! Which loop a new connection goes to.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

/// How a server's connections are spread over loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One loop after the other, counted over all listeners of a server.
    #[default]
    RoundRobin,
    /// By the peer's address without its port, so that one host stays on one loop.
    SourceHash,
    /// To the loop with the fewest connections at this moment; to the first of several.
    LeastConnections,
}

/// A loop that connections can be given to.
pub(crate) trait Target {
    /// False once the loop has panicked.
    fn is_alive(&self) -> bool;
    /// Connections that were given to the loop and are not closed.
    fn connections(&self) -> usize;
}

/// The balancer of one server. It runs on one thread, so its counter is plain.
#[derive(Debug)]
pub(crate) struct Balancer {
    balance: Balance,
    next: usize,
}

impl Balancer {
    pub(crate) fn new(balance: Balance) -> Self {
        Self { balance, next: 0 }
    }

    /// Chooses the loop for a peer; `None` if no loop is alive.
    pub(crate) fn choose(
        &mut self,
        loops: &[impl Target],
        peer: Option<SocketAddr>,
    ) -> Option<usize> {
        match (self.balance, peer) {
            (Balance::LeastConnections, _) => least(loops),
            (Balance::SourceHash, Some(peer)) => {
                let start = hash(peer.ip()).checked_rem(loops.len() as u64)? as usize;
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

/// Chooses the live loop with the fewest connections.
pub(crate) fn least(loops: &[impl Target]) -> Option<usize> {
    (0..loops.len()).filter(|at| loops[*at].is_alive()).min_by_key(|at| loops[*at].connections())
}

/// Finds the first live loop from `start` on.
fn alive_from(loops: &[impl Target], start: usize) -> Option<usize> {
    (0..loops.len()).map(|step| (start + step) % loops.len()).find(|at| loops[*at].is_alive())
}

/// Hashes an address; an IPv4 address mapped into IPv6 counts as IPv4. The hash is the same within one
/// run of a server, and may differ in another.
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
    fn a_mapped_ipv4_address_has_the_hash_of_the_plain_one() {
        let plain: IpAddr = "192.0.2.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(hash(plain), hash(mapped));
    }

    #[test]
    fn sixty_four_neighbouring_addresses_use_all_of_four_loops() {
        let used: std::collections::HashSet<u64> =
            (1..=64u8).map(|last| hash(IpAddr::from([127, 0, 0, last])) % 4).collect();
        assert_eq!(used.len(), 4);
    }
}
