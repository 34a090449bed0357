//! The thread that drives a loop, and what keeps a panic inside it.

use crate::event_loop::{EventLoop, Turn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that turns the loop until it is told to stop.
pub(super) fn start(event_loop: EventLoop, index: usize) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(format!("millrace-{index}")).spawn(move || run(event_loop))
}

fn run(mut event_loop: EventLoop) {
    let handle = event_loop.handle();
    let mut turn = Turn { pending: true, next_deadline: None };
    while !handle.0.stop.load(Ordering::Acquire) {
        // The loop is outside of what unwinds, so that it can still be closed after a panic.
        match catch_unwind(AssertUnwindSafe(|| event_loop.wait_and_turn(turn))) {
            Ok(next) => turn = next,
            Err(_) => return event_loop.die(),
        }
    }
    if catch_unwind(AssertUnwindSafe(|| event_loop.finish())).is_err() {
        event_loop.die();
    }
}

/// Does one step of a loop without a thread; `None` if it panicked.
pub(super) fn step_inline(
    event_loop: &mut EventLoop,
    step: impl FnOnce(&mut EventLoop) -> Turn,
) -> Option<Turn> {
    let result = catch_unwind(AssertUnwindSafe(|| step(event_loop)));
    if result.is_err() {
        event_loop.die();
    }
    result.ok()
}
