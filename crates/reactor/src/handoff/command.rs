//! What goes to a loop other than by its ring.

use crate::accepting::{AcceptedSocket, ListenerCommand};
use crate::connecting::Dial;
use crate::datagrams::BoundDatagramSocket;
use crate::notices::LoopNotice;
use crate::transport::SocketOptions;
use millrace_sys::SocketOption;

/// One item of a loop's queues.
#[derive(Debug)]
pub(crate) enum LoopCommand {
    /// Take a connection that was assigned to the loop.
    Accepted(AcceptedSocket),
    /// Make a connection.
    Connect(Box<Dial>),
    /// Give up making the connection of that number.
    CancelConnect(u32),
    /// For the listeners that the loop accepts from itself.
    Listener(ListenerCommand),
    /// The acceptor has closed that listener, and all of its connections came before this.
    ListenerClosed(u32),
    /// Accepting from that listener failed.
    AcceptFailed(u32, i32),
    /// Set or read options of a connection's socket, if it is still there.
    SocketOption { slot: u32, generation: u32, what: SocketOptionCommand, ticket: u32 },
    /// Pass on what another thread of the group answers to its owner.
    Answer(LoopNotice),
    /// Take a datagram socket.
    OpenDatagrams(Box<BoundDatagramSocket>),
    /// Panic, for the tests of what happens then.
    #[cfg(feature = "inject")]
    Panic,
}

/// What to do with the options of a socket.
#[derive(Debug)]
pub(crate) enum SocketOptionCommand {
    Set(SocketOptions),
    Get(SocketOption),
}
