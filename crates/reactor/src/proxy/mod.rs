//! The PROXY protocol: the header with which a proxy says for whom it connects.
//!
//! [`ProxyProtocol`] says whose connections begin with a header: those of the [`Network`]s that are trusted. [`take`]
//! cuts a header off the front of a stream: version 1 is `text.rs`, version 2 is `binary.rs`, and `checksum.rs` is
//! the checksum that the latter may carry.
//!
//! Written here and not taken from a crate: those that parse it accept what the specification forbids (ports such as
//! `+80`, or any byte in place of a space), put no bound on version 2, and do not look at the checksum.

mod binary;
mod checksum;
mod header;
mod network;
mod text;

use header::BadHeader;
pub(crate) use header::{ProxyHeader, take};
pub use network::Network;

use crate::address::Address;
use std::time::Duration;

/// Whose connections begin with a header. Those of all others have none.
#[derive(Debug, Clone)]
pub struct ProxyProtocol {
    /// The networks that are trusted to say for whom they connect.
    pub trusted: Vec<Network>,
    /// Whether whoever connects to a Unix socket is trusted.
    pub trusts_unix: bool,
    /// How long the header may take.
    pub timeout: Duration,
}

impl ProxyProtocol {
    /// Whether a connection of this peer begins with a header.
    pub(crate) fn trusts(&self, peer: &Address) -> bool {
        match peer.inet() {
            Some(address) => self.trusted.iter().any(|network| network.contains(address.ip())),
            None => self.trusts_unix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, ProxyProtocol};
    use crate::address::Address;
    use std::time::Duration;

    #[test]
    fn a_unix_socket_is_trusted_only_if_that_is_said() {
        let everybody = Network::new("0.0.0.0".parse().unwrap(), 0).unwrap();
        for trusts_unix in [false, true] {
            let trusted = vec![everybody];
            let protocol = ProxyProtocol { trusted, trusts_unix, timeout: Duration::ZERO };
            assert!(protocol.trusts(&Address::Inet(([1, 2, 3, 4], 5).into())));
            assert_eq!(protocol.trusts(&Address::Unnamed), trusts_unix);
            assert_eq!(protocol.trusts(&Address::Unix(Box::from(*b"/run/a"))), trusts_unix);
        }
    }
}
