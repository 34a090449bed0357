//! The threadsafe function of an environment, which says "look now" and nothing else.

use millrace_reactor::Bell;
use millrace_ring::Doorbell;
use napi::{Env, sys};
use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Wakes JavaScript, once each time that it goes to sleep.
///
/// A raw threadsafe function, because that of napi-rs boxes a value and takes a lock for each call.
pub(crate) struct DoorbellBell {
    pub(crate) doorbell: Doorbell,
    /// Null once it is released.
    function: AtomicPtr<sys::napi_threadsafe_function__>,
}

impl fmt::Debug for DoorbellBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorbellBell").field("doorbell", &self.doorbell).finish_non_exhaustive()
    }
}

/// A reference to the pump, a JavaScript function, until the environment ends.
#[derive(Debug)]
pub(crate) struct PumpRef {
    env: sys::napi_env,
    reference: sys::napi_ref,
}

impl Bell for DoorbellBell {
    fn ring(&self) {
        if self.doorbell.ring() {
            // ORDER: pairs with the Release in `silence`.
            let function = self.function.load(Ordering::Acquire);
            if !function.is_null() {
                // SAFETY: only loops call this, and the function is released only after every loop is
                // joined (or, if a loop could not be joined in time, after it was silenced).
                unsafe {
                    sys::napi_call_threadsafe_function(
                        function,
                        ptr::null_mut(),
                        sys::ThreadsafeFunctionCallMode::nonblocking,
                    )
                };
            }
        }
    }
}

impl DoorbellBell {
    /// Makes the threadsafe function, which does not keep the process alive yet.
    pub(crate) fn new(env: &Env, pump: &PumpRef, handle: u32) -> napi::Result<Self> {
        // Loops may ring until the very end, so the module must not be unloaded before.
        napi::bindgen_prelude::retain_current_module_for_unload_safety();
        let name = env.create_string("millrace")?;
        let function = pump.function()?;
        let mut made = ptr::null_mut();
        // SAFETY: `env` is the current environment, `function` and `name` are values of this scope;
        // the context is a number and not a pointer, and nothing has to be finalized.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                function,
                ptr::null_mut(),
                napi::JsValue::value(&name).value,
                0,
                1,
                ptr::null_mut(),
                None,
                handle as usize as *mut c_void,
                Some(look),
                &raw mut made,
            )
        };
        napi::check_status!(status, "threadsafe function")?;
        let bell = Self { doorbell: Doorbell::new(), function: AtomicPtr::new(made) };
        bell.keep_alive(env, false);
        Ok(bell)
    }

    /// Sets whether the process, or worker, stays alive for it.
    pub(crate) fn keep_alive(&self, env: &Env, keep: bool) {
        let function = self.function.load(Ordering::Acquire);
        if function.is_null() {
            return;
        }
        if keep {
            // SAFETY: on the JavaScript thread, with a function that is not released.
            unsafe { sys::napi_ref_threadsafe_function(env.raw(), function) };
        } else {
            // SAFETY: as above.
            unsafe { sys::napi_unref_threadsafe_function(env.raw(), function) };
        }
    }

    /// Makes later rings call nothing. Returns the function, to be released.
    pub(crate) fn silence(&self) -> Option<Silenced> {
        let function = self.function.swap(ptr::null_mut(), Ordering::AcqRel);
        (!function.is_null()).then_some(Silenced(function))
    }
}

/// A threadsafe function that nobody calls any more.
pub(crate) struct Silenced(sys::napi_threadsafe_function);

impl Silenced {
    /// Releases the function. All loops must be joined.
    pub(crate) fn release(self) {
        // SAFETY: `silence` handed it out once, and nobody else has it.
        unsafe {
            sys::napi_release_threadsafe_function(
                self.0,
                sys::ThreadsafeFunctionReleaseMode::release,
            )
        };
    }
}

/// Called by Node on the JavaScript thread, in a callback scope: promises and ticks run afterwards.
unsafe extern "C" fn look(
    env: sys::napi_env,
    function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return; // the environment is going down
    }
    crate::environment::look(context as usize as u32);
    let mut receiver = ptr::null_mut();
    // SAFETY: `env` is live for the length of this call.
    unsafe { sys::napi_get_undefined(env, &raw mut receiver) };
    let mut result = ptr::null_mut();
    // SAFETY: `function` is the one that the threadsafe function was made with.
    let status = unsafe {
        sys::napi_call_function(env, receiver, function, 0, ptr::null(), &raw mut result)
    };
    if status == sys::Status::napi_pending_exception {
        rethrow(env);
    }
}

/// Turns an exception of the pump into an `uncaughtException`, like an exception of any callback of Node.
pub(super) fn rethrow(env: sys::napi_env) {
    let mut error = ptr::null_mut();
    // SAFETY: `env` is live, and an exception is pending.
    unsafe { sys::napi_get_and_clear_last_exception(env, &raw mut error) };
    // SAFETY: `error` was just handed out.
    unsafe { sys::napi_fatal_exception(env, error) };
}

impl PumpRef {
    pub(crate) fn new(env: &Env, function: sys::napi_value) -> napi::Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: `function` is a value of the current scope.
        let status =
            unsafe { sys::napi_create_reference(env.raw(), function, 1, &raw mut reference) };
        napi::check_status!(status, "reference to the pump")?;
        Ok(Self { env: env.raw(), reference })
    }

    fn function(&self) -> napi::Result<sys::napi_value> {
        let mut function = ptr::null_mut();
        // SAFETY: the reference is live as long as `self`.
        let status =
            unsafe { sys::napi_get_reference_value(self.env, self.reference, &raw mut function) };
        napi::check_status!(status, "reference to the pump")?;
        Ok(function)
    }

    /// Calls the pump from a libuv callback, with no JavaScript on the stack.
    pub(crate) fn call(&self) {
        let mut scope = ptr::null_mut();
        // SAFETY: on the JavaScript thread of a live environment.
        if unsafe { sys::napi_open_handle_scope(self.env, &raw mut scope) } != sys::Status::napi_ok
        {
            return;
        }
        if let Ok(function) = self.function() {
            let mut result = ptr::null_mut();
            // SAFETY: the value belongs to the open scope. Without an async context the function runs in
            // an empty one, and promises and ticks run afterwards. The receiver has to be an object, and
            // the pump does not use it: the function itself is one.
            let status = unsafe {
                sys::napi_make_callback(
                    self.env,
                    ptr::null_mut(),
                    function,
                    function,
                    0,
                    ptr::null(),
                    &raw mut result,
                )
            };
            if status == sys::Status::napi_pending_exception {
                rethrow(self.env);
            }
        }
        // SAFETY: it was opened above.
        unsafe { sys::napi_close_handle_scope(self.env, scope) };
    }
}

impl Drop for PumpRef {
    fn drop(&mut self) {
        // SAFETY: dropped with its environment's state, on the JavaScript thread.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}
