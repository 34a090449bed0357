//! Commands on their way to a loop that empties its queues, finishes or dies meanwhile, in every interleaving.

use super::distribution::Distribution;
use super::{Shared, TargetChange};
use crate::accepting::AcceptSink;
use crate::event_loop::EventLoop;
use crate::handoff::{LoopCommand, LoopHandle};
use crate::inbound::testing::Silent;
use crate::poll::{Alarm, Poll};
use loom::thread;
use millrace_ring::{Memory, pair};
use std::sync::Arc;

fn event_loop() -> EventLoop {
    let ring = || pair(Memory::leaked(1024).unwrap());
    let ((near, _), (_, far)) = (ring(), ring());
    EventLoop::new(near, far, Arc::new(Silent)).unwrap()
}

/// What an acceptor with that target does with two commands, of which the queue has room for one.
struct Pushing {
    distribution: Distribution,
    shared: Arc<Shared>,
    _poll: Poll,
}

impl Pushing {
    fn new(target: &LoopHandle) -> Self {
        let poll = Poll::new().unwrap();
        let shared = Arc::new(Shared::new(Alarm::new(&poll).unwrap()));
        let mut distribution = Distribution::new(shared.clone());
        target.0.acceptor.get_or_init(|| shared.alarm.clone());
        shared.changes.push(TargetChange::Add(target.clone()));
        distribution.change_targets();
        Self { distribution, shared, _poll: poll }
    }

    /// Pushes one, and goes to sleep if the queue is full. True if it sleeps until it is rung.
    fn push(&mut self) -> bool {
        self.distribution.fail(1, 0);
        self.shared.alarm.doorbell.rest(false);
        self.distribution.is_stalled() && !self.distribution.can_go_on()
    }

    /// Whether nobody has rung since it went to sleep.
    fn is_asleep(&self) -> bool {
        self.shared.alarm.doorbell.ring()
    }
}

#[test]
fn an_acceptor_without_room_sees_the_room_or_is_rung() {
    loom::model(|| {
        let mut event_loop = event_loop();
        let mut acceptor = Pushing::new(&event_loop.handle());
        assert!(!acceptor.push());
        let thread = thread::spawn(move || {
            let sleeps = acceptor.push();
            (acceptor, sleeps)
        });
        event_loop.rest();
        event_loop.take_commands();
        let (acceptor, sleeps) = thread.join().unwrap();
        assert!(!(sleeps && acceptor.is_asleep()), "it sleeps though there is room");
    });
}

#[test]
fn an_acceptor_without_room_sees_that_the_loop_ends_or_is_rung() {
    for dies in [false, true] {
        loom::model(move || {
            let mut event_loop = event_loop();
            let mut acceptor = Pushing::new(&event_loop.handle());
            assert!(!acceptor.push());
            let thread = thread::spawn(move || {
                let sleeps = acceptor.push();
                (acceptor, sleeps)
            });
            if dies {
                event_loop.die()
            } else {
                event_loop.finish()
            }
            let (acceptor, sleeps) = thread.join().unwrap();
            assert!(!(sleeps && acceptor.is_asleep()), "it waits for a loop that is gone");
        });
    }
}

#[test]
fn nothing_stays_in_the_hand_off_queue_of_a_loop_that_ends() {
    for dies in [false, true] {
        loom::model(move || {
            let mut event_loop = event_loop();
            let handle = event_loop.handle();
            let mut acceptor = Pushing::new(&handle);
            let thread = thread::spawn(move || acceptor.push());
            if dies {
                event_loop.die()
            } else {
                event_loop.finish()
            }
            thread.join().unwrap();
            assert!(handle.0.handoff.is_empty(), "a connection is lost, and not closed");
        });
    }
}

#[test]
fn no_command_of_the_owner_stays_in_the_queue_of_a_loop_that_dies() {
    loom::model(|| {
        let mut event_loop = event_loop();
        let handle = event_loop.handle();
        let owner = {
            let handle = handle.clone();
            thread::spawn(move || handle.command(LoopCommand::CancelConnect(1)))
        };
        event_loop.die();
        owner.join().unwrap();
        assert!(handle.0.commands.is_empty(), "a listener is lost, and not closed");
    });
}
