//! Watching the epoll or kqueue of an inline loop from Node's own loop, with `uv_poll`.
//!
//! libuv's symbols are looked up at run time, because not every runtime with Node-API has them.

use libloading::os::unix::Library;
use napi::{Env, sys};
use std::ffi::{c_int, c_void};
use std::ptr;

type Callback = unsafe extern "C" fn(*mut c_void, c_int, c_int);
type Closed = unsafe extern "C" fn(*mut c_void);

/// `UV_POLL` of `uv_handle_type` and `UV_READABLE` of `uv_poll_event`: both are part of libuv's ABI.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

struct Functions {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    poll_init: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut c_void, c_int, Callback) -> c_int,
    unref: unsafe extern "C" fn(*mut c_void),
    close: unsafe extern "C" fn(*mut c_void, Closed),
}

impl Functions {
    fn find() -> Option<Self> {
        let library = Library::this();
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type is that of libuv's header for this name, stable since libuv 1.19.
                *unsafe { library.get($name) }.ok()?
            };
        }
        Some(Self {
            handle_size: symbol!(b"uv_handle_size\0"),
            poll_init: symbol!(b"uv_poll_init\0"),
            poll_start: symbol!(b"uv_poll_start\0"),
            unref: symbol!(b"uv_unref\0"),
            close: symbol!(b"uv_close\0"),
        })
    }
}

/// What a handle's callbacks need. Freed when libuv has closed the handle.
struct Context {
    whose: (u32, u32),
    turn: fn(u32, u32),
    /// The memory of the handle itself; of words, for the alignment.
    _memory: Vec<u64>,
}

/// A started `uv_poll` handle, which does not keep the process alive.
pub(crate) struct Watch {
    handle: *mut c_void,
    close: unsafe extern "C" fn(*mut c_void, Closed),
}

impl Watch {
    /// Calls `turn` with the numbers of an environment and a group whenever the descriptor is readable. `None`
    /// if the runtime has no `uv_poll`.
    pub(crate) fn start(
        env: &Env,
        descriptor: i32,
        whose: (u32, u32),
        turn: fn(u32, u32),
    ) -> Option<Self> {
        let functions = Functions::find()?;
        let mut uv_loop = ptr::null_mut();
        // SAFETY: `env` is the current environment.
        let status = unsafe { sys::napi_get_uv_event_loop(env.raw(), &raw mut uv_loop) };
        if status != sys::Status::napi_ok {
            return None;
        }
        // SAFETY: the function takes a handle type and returns its size.
        let size = unsafe { (functions.handle_size)(UV_POLL) };
        let mut memory = vec![0u64; size.div_ceil(8)];
        let handle = memory.as_mut_ptr().cast::<c_void>();
        // SAFETY: the handle is large enough, and the loop belongs to this thread.
        if unsafe { (functions.poll_init)(uv_loop.cast(), handle, descriptor) } != 0 {
            return None;
        }
        let context = Box::new(Context { whose, turn, _memory: memory });
        // SAFETY: `data`, which is for the user, is the first field of every handle. `closed` frees the
        // box.
        unsafe { handle.cast::<*mut Context>().write(Box::into_raw(context)) };
        // SAFETY: initialised, and the callback has the type that libuv expects.
        unsafe { (functions.poll_start)(handle, UV_READABLE, readable) };
        // SAFETY: initialised.
        unsafe { (functions.unref)(handle) };
        Some(Self { handle, close: functions.close })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: started, not closed, and on the thread of its loop: it is dropped with the group.
        unsafe { (self.close)(self.handle, closed) };
    }
}

unsafe extern "C" fn readable(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: `start` set the data, a handle's first field, before it started the handle.
    let data = unsafe { handle.cast::<*mut Context>().read() };
    // SAFETY: `closed`, which frees it, has not run.
    let context = unsafe { &*data };
    // Copied first, because the turn may close the handle.
    let ((environment, group), turn) = (context.whose, context.turn);
    turn(environment, group);
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    // SAFETY: as in `readable`; this is the last callback of the handle.
    let data = unsafe { handle.cast::<*mut Context>().read() };
    // SAFETY: `start` made it by `Box::into_raw`, and this runs once.
    drop(unsafe { Box::from_raw(data) });
}
