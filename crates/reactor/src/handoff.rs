//! What goes to a loop beside records: sockets, and what its listeners have to say.

use crate::listener::{Bound, Listener};
use mio::net::TcpStream;
use std::net::SocketAddr;
use std::sync::Arc;

/// One item of a loop's hand-off queue.
#[derive(Debug)]
pub(crate) enum Handoff {
    /// A connection that was assigned to the loop.
    Accepted(Accepted),
    /// A listener that the loop accepts from itself.
    Listen(Bound),
    /// Accept once more from that listener, then close it.
    Close(u32),
    /// The acceptor has closed that listener, and all of its connections came before this.
    Closed(u32),
    /// Accepting from that listener failed.
    AcceptFailed(u32, i32),
    /// Panic, for the tests of what happens then.
    #[cfg(feature = "inject")]
    Panic,
}

/// A socket that was accepted and counted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) listener: Arc<Listener>,
}
