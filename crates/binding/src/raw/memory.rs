//! `ArrayBuffer`s that JavaScript made and Rust works in.

use millrace_ring::{Memory, MemoryError};
use napi::bindgen_prelude::ArrayBuffer;
use napi::{Env, JsValue, sys};
use std::ptr;

/// Keeps an `ArrayBuffer` alive.
#[derive(Debug)]
pub(crate) struct Held {
    env: sys::napi_env,
    reference: sys::napi_ref,
}

impl Held {
    fn new(env: &Env, buffer: &ArrayBuffer<'_>) -> napi::Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: the buffer is a value of the current scope.
        let status = unsafe {
            sys::napi_create_reference(env.raw(), buffer.value().value, 1, &raw mut reference)
        };
        napi::check_status!(status, "reference to a ring")?;
        Ok(Self { env: env.raw(), reference })
    }

    /// Borrows a ring's memory. This is the only time that the pointer is read.
    pub(crate) fn ring(env: &Env, buffer: &ArrayBuffer<'_>) -> napi::Result<(Self, Memory)> {
        let held = Self::new(env, buffer)?;
        let start = buffer.as_ptr().cast_mut();
        // SAFETY: an `ArrayBuffer` is initialised and does not move. The reference keeps it alive
        // until the loop's group is stopped, its thread joined and both ends dropped. Only the pump
        // can reach it: `Reader` and `Writer` hand out no view, so nobody can detach it. Its
        // JavaScript end keeps to the ring's positions.
        let memory = unsafe { Memory::borrowed(start, buffer.len()) };
        let memory =
            memory.map_err(|error: MemoryError| napi::Error::from_reason(error.to_string()))?;
        Ok((held, memory))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: dropped with its environment's state, on the JavaScript thread.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}

/// The control words. Rust uses them only while JavaScript waits for a call or a callback.
#[derive(Debug)]
pub(crate) struct Words {
    start: *mut u32,
    length: usize,
    _held: Held,
}

impl Words {
    pub(crate) fn new(env: &Env, buffer: &ArrayBuffer<'_>, length: usize) -> napi::Result<Self> {
        let start = buffer.as_ptr().cast_mut().cast::<u32>();
        if buffer.len() < length * 4 || !start.is_aligned() {
            return Err(napi::Error::from_reason("the control words need a larger buffer"));
        }
        Ok(Self { start, length, _held: Held::new(env, buffer)? })
    }

    pub(crate) fn get(&self, at: usize) -> u32 {
        assert!(at < self.length);
        // SAFETY: in range, and the buffer is held.
        let word = unsafe { self.start.add(at) };
        // SAFETY: aligned and initialised; only JavaScript writes there, too, and it is waiting for the
        // call or callback in which this happens.
        unsafe { word.read() }
    }

    pub(crate) fn set(&self, at: usize, value: u32) {
        assert!(at < self.length);
        // SAFETY: in range, and the buffer is held.
        let word = unsafe { self.start.add(at) };
        // SAFETY: as in `get`.
        unsafe { word.write(value) };
    }
}
