//! Connecting to others: what is asked for, and one attempt of it.
//!
//! A [`Dial`] is a connection to be made; `attempt.rs` makes the socket and begins to connect it. Which
//! attempts are on their way is known to the event loop.

mod attempt;

pub(crate) use attempt::Attempt;

use crate::address::Address;
use crate::framing::Framing;
use crate::profile::{ConnectionOptions, Profile};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where to connect to.
#[derive(Debug, Clone)]
pub enum DialTarget {
    /// An IP address and a port.
    Tcp {
        /// The address of the peer.
        address: SocketAddr,
        /// Our own address, if it matters; port 0 lets the system choose.
        local: Option<SocketAddr>,
        /// The interface to use (Linux).
        device: Option<String>,
    },
    /// A Unix socket.
    Unix {
        /// Its path; if the first byte is 0, an abstract name (Linux).
        path: Box<[u8]>,
    },
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// A number of the user's choice. It is in the `OPEN` or the `CONNECT_FAILED` that answers the dial,
    /// and cancels it.
    pub id: u32,
    /// Where to connect to.
    pub target: DialTarget,
    /// Do not read before the user says `RESUME`.
    pub paused: bool,
    /// How the stream is cut into frames.
    pub framing: Framing,
    /// How the connection behaves.
    pub connection: ConnectionOptions,
}

/// A connection to be made.
#[derive(Debug)]
pub(crate) struct Dial {
    target: DialTarget,
    pub(crate) paused: bool,
    pub(crate) profile: Arc<Profile>,
}

impl From<DialOptions> for Dial {
    fn from(options: DialOptions) -> Self {
        let DialOptions { id, target, paused, framing, connection } = options;
        let profile = Profile { id, framing, options: connection, proxy: None, service: None };
        Self { target, paused, profile: Arc::new(profile) }
    }
}

impl Dial {
    /// The number of the user's choice.
    pub(crate) fn number(&self) -> u32 {
        self.profile.id
    }

    /// The address of the peer, as a connection's user sees it.
    pub(crate) fn peer(&self) -> Address {
        match &self.target {
            DialTarget::Tcp { address, .. } => Address::Inet(*address),
            DialTarget::Unix { path } => Address::Unix(path.clone()),
        }
    }
}
