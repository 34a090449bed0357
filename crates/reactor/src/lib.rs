//! Event loops over mio: sockets, framing, limits and balancing, knowing nothing of JavaScript.
//!
//! Read in this order:
//! - [`Group`] starts loops, binds listeners, stops all of it;
//! - `event_loop` is one loop as a state machine: [`EventLoop::turn`] does what there is to do;
//! - `conn` is one connection, an enum of states with sticky readiness;
//! - `datagrams` is one datagram socket;
//! - [`Framing`] and `decoder` cut a stream into frames, behind `tokio_util`'s `Decoder`;
//! - `accepting` takes connections from one socket, `listeners` is all of those of one thread;
//! - `acceptor` and [`Balance`] spread new connections over the loops;
//! - [`Group::connect`] makes connections to others.
//!
//! A loop speaks with its user through two rings of `millrace-ring` and nothing else; what it says
//! there is in that crate's `record`.

#![forbid(unsafe_code)]

mod accepting;
mod acceptor;
mod address;
mod balance;
mod bound;
mod conn;
mod control;
mod counters;
mod datagrams;
mod decoder;
mod dial;
mod driver;
mod event_loop;
mod framing;
mod gauge;
mod group;
mod handoff;
mod io;
mod listener;
mod listeners;
mod listening;
mod lists;
mod options;
mod outbound;
mod ready;
mod service;
mod shared;
mod slab;
mod socket;
mod spent;
#[cfg(test)]
mod testing;
mod timers;

pub use address::Address;
pub use balance::Balance;
pub use bound::{Bound, ListenOptions, Place};
pub use counters::Snapshot;
pub use datagrams::{
    BoundDatagrams, DatagramCounts, DatagramOptions, DatagramShare, Interface, Membership, Setting,
};
pub use decoder::{Frame, FrameDecoder, FrameError, cut};
pub use dial::{DialOptions, Target};
pub use event_loop::{EventLoop, Turn};
pub use framing::{Framing, FramingError, LengthField};
pub use group::{Group, GroupError, LoopEnds};
pub use listener::Limits;
pub use options::{SocketOptions, socket_option};
pub use service::Service;
pub use shared::{Bell, LoopHandle};
