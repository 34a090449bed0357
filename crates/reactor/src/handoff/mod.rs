//! What other threads share with a loop: its queues, and what they may know about it.
//!
//! An accepted socket is given to a loop through its bounded hand-off queue; what the group's owner asks
//! goes through its queue of commands. Both carry [`LoopCommand`]s, and both are lock-free. A
//! [`LoopHandle`] is a loop as other threads see it.

mod command;
mod loop_handle;
mod shared;

pub(crate) use command::{LoopCommand, SocketOptionCommand};
pub use loop_handle::LoopHandle;
pub(crate) use shared::LoopShared;
