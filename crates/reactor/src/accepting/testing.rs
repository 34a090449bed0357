//! A listener for unit tests.

use super::{ListenAddress, ListenOptions};
use crate::framing::Framing;
use crate::profile::{ConnectionOptions, Timeouts};
use crate::transport::SocketOptions;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The number of the listener that [`listening`] describes.
pub(crate) const LISTENER: u32 = 7;

/// Options to listen, for tests that do not care how.
pub(crate) fn listening() -> ListenOptions {
    ListenOptions {
        id: LISTENER,
        address: ListenAddress::Tcp {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            dual_stack: false,
            reuse_port: false,
            device: None,
        },
        backlog: 16,
        framing: Framing::Raw,
        connection: ConnectionOptions {
            high_water: 1 << 20,
            auto_pause: true,
            linger: Duration::from_secs(30),
            timeouts: Timeouts::default(),
            socket: SocketOptions::default(),
        },
        proxy: None,
    }
}
