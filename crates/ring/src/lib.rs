//! Single-producer single-consumer byte rings between a loop thread and JavaScript.
//!
//! - [`record`] is the one format for everything that crosses, in both directions.
//! - [`Producer`] and [`Consumer`] are the two ends of a ring that Rust works on.
//! - [`RemoteProducer`] and [`RemoteConsumer`] stand for an end in JavaScript, which works on the same
//!   memory: only its position crosses, in batches.
//! - [`Doorbell`] says whether the other side sleeps and has to be woken.
//!
//! A ring never allocates and never blocks. It borrows its memory ([`Memory`]), because JavaScript makes
//! that memory: an `ArrayBuffer` that Rust holds a reference to works in every runtime, but memory that
//! Rust made and lent to JavaScript does not (Electron forbids it).

mod consumer;
mod doorbell;
mod indices;
mod memory;
mod producer;
pub mod record;
mod remote;
mod sync;

pub use consumer::{Consumer, Place, Record};
pub use doorbell::Doorbell;
pub use memory::{Memory, MemoryError};
pub use producer::{Producer, Reservation};
pub use remote::{PositionError, RemoteConsumer, RemoteProducer};

use std::sync::Arc;

/// Makes a ring with both ends in Rust, for tests.
pub fn pair(memory: Memory) -> (Producer, Consumer) {
    let indices = Arc::new(indices::Indices::new());
    let (here, there) = memory.split();
    (Producer::new(here, indices.clone()), Consumer::new(there, indices))
}

/// Makes a ring that Rust fills and JavaScript empties.
pub fn inbound(memory: Memory) -> (Producer, RemoteConsumer) {
    let indices = Arc::new(indices::Indices::new());
    let capacity = memory.capacity();
    let (here, _) = memory.split();
    (Producer::new(here, indices.clone()), RemoteConsumer::new(indices, capacity))
}

/// Makes a ring that JavaScript fills and Rust empties.
pub fn outbound(memory: Memory) -> (RemoteProducer, Consumer) {
    let indices = Arc::new(indices::Indices::new());
    let capacity = memory.capacity();
    let (here, _) = memory.split();
    (RemoteProducer::new(indices.clone(), capacity), Consumer::new(here, indices))
}

#[cfg(all(test, loom))]
mod loom_ring;
#[cfg(all(test, not(loom)))]
mod property;
