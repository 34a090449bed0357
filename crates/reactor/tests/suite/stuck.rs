//! A loop whose thread does not come back, because its user's bell blocks it.

use crate::support::net::PATIENCE;
use millrace_reactor::{Bell, Group, LoopRings};
use millrace_ring::{Memory, pair};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Blocks whoever rings it until it is let go.
#[derive(Debug, Default)]
struct Blocking {
    is_rung: AtomicBool,
    is_over: AtomicBool,
}

impl Bell for Blocking {
    fn ring(&self) {
        self.is_rung.store(true, Ordering::Release);
        while !self.is_over.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

#[test]
fn stopping_within_a_time_gives_up_on_a_loop_that_does_not_end() {
    let ring = || pair(Memory::leaked(4096).unwrap());
    let ((inbound, _far_in), (_far_out, outbound)) = (ring(), ring());
    let bell = Arc::<Blocking>::default();
    let as_bell: Arc<dyn Bell> = bell.clone();
    let mut group = Group::start(vec![LoopRings { inbound, outbound }], &as_bell).unwrap();
    // Answered at once, which rings the bell.
    group.close_listener(None, 1);
    until("it does not ring", || bell.is_rung.load(Ordering::Acquire));
    let thread = thread::spawn(move || (group.stop_within(Duration::from_millis(1)), group));
    let deadline = Instant::now() + PATIENCE;
    while !thread.is_finished() && Instant::now() < deadline {
        thread::yield_now();
    }
    let has_given_up = thread.is_finished();
    bell.is_over.store(true, Ordering::Release);
    let (is_stopped, mut group) = thread.join().unwrap();
    assert!(has_given_up && !is_stopped, "it waits for a loop that does not end");
    assert!(group.stop_within(PATIENCE));
}
