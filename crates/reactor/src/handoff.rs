//! What goes to a loop beside records: sockets, and what its listeners have to say.

use crate::address::Address;
use crate::bound::Bound;
use crate::datagrams::BoundDatagrams;
use crate::listener::Listener;
use crate::socket::Socket;
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
    /// A datagram socket that the loop is to have.
    Datagrams(Box<BoundDatagrams>),
    /// Panic, for the tests of what happens then.
    #[cfg(feature = "inject")]
    Panic,
}

/// A socket that was accepted and counted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Address,
    pub(crate) listener: Arc<Listener>,
}
