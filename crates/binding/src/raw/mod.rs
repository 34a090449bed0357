//! Calls of Node-API and libuv for which napi-rs has no safe form. Nothing else in this crate is unsafe.

mod bell;
mod committer;
mod memory;
#[cfg_attr(not(unix), path = "no_uv.rs")]
mod uv;

pub(crate) use bell::{DoorbellBell, PumpRef};
pub(crate) use committer::committer;
pub(crate) use memory::{Held, Words};
pub(crate) use uv::Watch;
