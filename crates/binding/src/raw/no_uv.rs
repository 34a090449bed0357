//! On systems where a poll has no descriptor, Node's loop has nothing to watch.

use napi::Env;

/// A watch on a descriptor. There are no values of this type here.
pub(crate) enum Watch {}

impl Watch {
    /// Always `None`.
    pub(crate) fn start(_: &Env, _: i32, _: (u32, u32), _: fn(u32, u32)) -> Option<Self> {
        None
    }
}
