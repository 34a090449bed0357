//! What goes to a loop beside records: sockets, and what its listeners have to say.

use crate::address::Address;
use crate::bound::Bound;
use crate::datagrams::BoundDatagrams;
use crate::dial::Dial;
use crate::event_loop::News;
use crate::listener::Listener;
use crate::options::SocketOptions;
use crate::socket::Socket;
use millrace_sys::SocketOption;
use std::sync::Arc;

/// What the owner of a group asks of whoever accepts: a loop, or the acceptor's thread. A ticket is
/// what the answer carries.
#[derive(Debug)]
pub(crate) enum Order {
    /// Accept from it.
    Listen(Bound),
    /// Accept once more from the listener of that number, then close it.
    Close(u32),
    /// Accept nothing more of it, or go on.
    Pause { id: u32, is_paused: bool, ticket: u32 },
    /// Make another descriptor of its socket.
    Duplicate { id: u32, ticket: u32 },
}

/// One item of a loop's hand-off queue.
#[derive(Debug)]
pub(crate) enum Handoff {
    /// A connection that was assigned to the loop.
    Accepted(Accepted),
    /// A connection to be made.
    Connect(Box<Dial>),
    /// Give up making the connection of that number.
    CancelConnect(u32),
    /// For the listeners that the loop accepts from itself.
    Order(Order),
    /// The acceptor has closed that listener, and all of its connections came before this.
    Closed(u32),
    /// Accepting from that listener failed.
    AcceptFailed(u32, i32),
    /// About the socket of a connection, if it is still there.
    Option { slot: u32, generation: u32, what: OptionOrder, ticket: u32 },
    /// What another thread of the group answers to a question of its owner.
    Answer(News),
    /// A datagram socket that the loop is to have.
    Datagrams(Box<BoundDatagrams>),
    /// Panic, for the tests of what happens then.
    #[cfg(feature = "inject")]
    Panic,
}

/// What is asked of the options of a socket.
#[derive(Debug)]
pub(crate) enum OptionOrder {
    Set(SocketOptions),
    Get(SocketOption),
}

/// A socket that was accepted and counted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Address,
    pub(crate) listener: Arc<Listener>,
}
