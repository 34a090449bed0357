//! Listening sockets: binding them, and accepting from them.
//!
//! A [`BoundListener`] is bound and not accepted from yet. A [`Listener`] accepts from one, waits while the
//! server is full or descriptors have run out, and gives each [`AcceptedSocket`] to an [`AcceptSink`].
//! [`Listeners`] are all those of one thread, which is an event loop or the acceptor.

mod accepted_socket;
mod bound_listener;
mod listener;
mod listeners;
mod listening_socket;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use accepted_socket::AcceptedSocket;
pub use bound_listener::{BoundListener, ListenAddress, ListenOptions};
pub(crate) use listener::{AcceptSink, Listener};
pub(crate) use listeners::Listeners;

/// What the owner of a group asks of the thread that accepts: a loop, or the acceptor. A ticket comes
/// back in the answer.
#[derive(Debug)]
pub(crate) enum ListenerCommand {
    /// Accept from this listener.
    Listen(BoundListener),
    /// Accept once more from the listener of that number, then close it.
    Close(u32),
    /// Accept nothing more from it, or go on.
    Pause { id: u32, is_paused: bool, ticket: u32 },
    /// Make another descriptor of its socket.
    Duplicate { id: u32, ticket: u32 },
}
