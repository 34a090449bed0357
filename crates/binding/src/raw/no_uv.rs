//! Where a poll has no descriptor, there is nothing for Node's loop to watch.

use napi::Env;

/// Something of Node's loop that watches: nothing is.
pub(crate) enum Watch {}

impl Watch {
    /// None.
    pub(crate) fn start(_: &Env, _: i32, _: (u32, u32), _: fn(u32, u32)) -> Option<Self> {
        None
    }
}
