//! What goes to a loop beside records: sockets, and what its listeners have to say.

use crate::address::Address;
use crate::bound::Bound;
use crate::datagrams::BoundDatagrams;
use crate::dial::Dial;
use crate::event_loop::News;
use crate::listener::Listener;
use crate::socket::Socket;
use std::sync::Arc;

/// One item of a loop's hand-off queue.
#[derive(Debug)]
pub(crate) enum Handoff {
    /// A connection that was assigned to the loop.
    Accepted(Accepted),
    /// A connection to be made.
    Connect(Box<Dial>),
    /// Give up making the connection of that number.
    CancelConnect(u32),
    /// A listener that the loop accepts from itself.
    Listen(Bound),
    /// Accept once more from that listener, then close it.
    Close(u32),
    /// The acceptor has closed that listener, and all of its connections came before this.
    Closed(u32),
    /// Accepting from that listener failed.
    AcceptFailed(u32, i32),
    /// What another thread of the group answers to a question of its owner.
    Answer(News),
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
