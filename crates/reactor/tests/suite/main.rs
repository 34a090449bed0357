//! What a group of loops guarantees to its user, over real sockets.

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod acceptor;
mod backpressure;
mod balance;
#[cfg(target_os = "linux")]
mod datagram_locals;
mod datagrams;
mod dialing;
mod ending;
mod fairness;
mod frames;
mod limits;
mod panic;
mod proxy_protocol;
mod reading;
mod resetting;
mod sharing;
#[cfg(target_os = "linux")]
mod short_reads;
mod stalling;
mod stuck;
mod timeouts;
#[cfg(unix)]
mod unix;
