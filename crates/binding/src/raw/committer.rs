//! `commit`, made by hand because every pump calls it.

use napi::bindgen_prelude::{FromNapiValue, Function};
use napi::{Env, Result, sys};
use std::ffi::{CString, c_void};
use std::ptr;

/// Makes the function with which JavaScript tells an environment what it did. The function has no arguments
/// and no result, because either would cost more than the function itself: what it reads and writes is in the
/// control words.
pub(crate) fn committer<'env>(env: &'env Env, handle: u32) -> Result<Function<'env, (), ()>> {
    let mut function = ptr::null_mut();
    // SAFETY: `env` is the current environment, the name has that many bytes, and the data is a number,
    // no pointer.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            c"commit".as_ptr(),
            6,
            Some(commit),
            handle as usize as *mut c_void,
            &raw mut function,
        )
    };
    napi::check_status!(status, "function commit")?;
    // SAFETY: it was made in the current scope, and is a function.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

unsafe extern "C" fn commit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut handle = ptr::null_mut();
    // SAFETY: both are live for the length of this call; outputs that are not needed may be null.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut handle,
        )
    };
    if let Err(error) = crate::environment::commit(handle as usize as u32) {
        let reason = CString::new(error.reason.as_str()).unwrap_or_default();
        // SAFETY: `env` is live, and the text is NUL-terminated.
        unsafe { sys::napi_throw_error(env, ptr::null(), reason.as_ptr()) };
    }
    ptr::null_mut()
}
