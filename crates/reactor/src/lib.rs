//! Event loops over mio: sockets, framing, limits and balancing, without knowing JavaScript.
//!
//! Read in this order:
//! - [`Group`] starts loops, binds listeners to them, and stops all of it;
//! - `event_loop` is one loop as a state machine: [`EventLoop::turn`] does what there is to do;
//! - `connection` is one connection, an enum of states; its `transport` owns the socket;
//! - `framing` cuts a stream into frames, behind `tokio_util`'s `Decoder`;
//! - `inbound` is the ring to the user, with back-pressure; `notices` are what the user is told beside data;
//! - `datagrams` is one datagram socket;
//! - `accepting` takes connections from listening sockets, `acceptor` is the thread that does so for
//!   several loops, `balancing` chooses the loop, `handoff` brings the connection there;
//! - `connecting` makes connections to others ([`Group::connect`]);
//! - `proxy` is the header with which a proxy says for whom it connects;
//! - `timers` are limits in time; `segments` is the memory of output that waits; `poll` is all that knows mio's polls,
//!   tokens and events.
//!
//! A loop talks to its user through two rings of `millrace-ring` and nothing else; that crate's `record`
//! says what the records mean.
//!
//! No module depends on one that depends on it: `tests/module_layers.rs` checks that.

#![forbid(unsafe_code)]

mod accepting;
mod acceptor;
mod address;
mod balancing;
mod connecting;
mod connection;
mod datagrams;
mod event_loop;
mod framing;
mod group;
mod handoff;
mod inbound;
mod notices;
mod poll;
mod profile;
mod proxy;
mod run_queue;
mod segments;
mod service;
mod stats;
mod sync;
mod timers;
mod transport;

pub use accepting::{BoundListener, ListenAddress, ListenOptions};
pub use acceptor::{Acceptor, TargetTaken};
pub use address::Address;
pub use balancing::Balance;
pub use connecting::{DialOptions, DialTarget};
pub use datagrams::{
    BoundDatagramSocket, DatagramCounts, DatagramHandle, DatagramOptions, DatagramSetting,
    Interface, Membership,
};
pub use event_loop::{EventLoop, Turn};
pub use framing::{
    Frame, FrameDecoder, FrameError, Framing, FramingError, LengthField, VarintField, cut,
};
pub use group::{Group, GroupError, LoopRings};
pub use handoff::LoopHandle;
pub use inbound::Bell;
pub use profile::{ConnectionOptions, Timeouts};
pub use proxy::{Network, ProxyProtocol};
pub use service::Service;
pub use stats::LoopCounts;
pub use transport::{SocketOptions, socket_option};
