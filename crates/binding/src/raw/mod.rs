//! Node-API and libuv by hand: what napi-rs has no safe form of. Nothing else here is unsafe.

mod bell;
mod memory;
#[cfg(unix)]
mod uv;

pub(crate) use bell::{DoorbellBell, PumpRef};
pub(crate) use memory::{Held, Words};
#[cfg(unix)]
pub(crate) use uv::Watch;
