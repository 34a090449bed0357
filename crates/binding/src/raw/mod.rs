//! Node-API and libuv by hand: what napi-rs has no safe form of. Nothing else here is unsafe.

mod bell;
mod committer;
mod memory;
#[cfg_attr(not(unix), path = "no_uv.rs")]
mod uv;

pub(crate) use bell::{DoorbellBell, PumpRef};
pub(crate) use committer::committer;
pub(crate) use memory::{Held, Words};
pub(crate) use uv::Watch;
