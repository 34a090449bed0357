//! A loop and its user, each of which publishes, looks and goes to sleep, in every interleaving. The user does what
//! `commit` of the binding does.

use crate::event_loop::EventLoop;
use crate::handoff::{LoopCommand, LoopHandle};
use crate::inbound::Bell;
use crate::notices::LoopNotice;
use loom::thread;
use millrace_ring::record::{Label, kind};
use millrace_ring::{Consumer, Doorbell, Memory, Producer, pair};
use std::sync::Arc;

/// Half of a ring, so that it holds one such record.
const LARGE: [u8; 512] = [0; 512];

const LABEL: Label = Label { slot: 9, generation: 0, kind: kind::ASK };

/// Wakes the user, once each time that it goes to sleep.
#[derive(Debug, Default)]
struct Chime(Doorbell);

impl Bell for Chime {
    fn ring(&self) {
        let _ = self.0.ring();
    }
}

struct User {
    handle: LoopHandle,
    inbound: Consumer,
    outbound: Producer,
    chime: Arc<Chime>,
}

fn start() -> (EventLoop, User) {
    let ring = || pair(Memory::leaked(1024).unwrap());
    let ((near, inbound), (outbound, far)) = (ring(), ring());
    let chime = Arc::<Chime>::default();
    chime.0.rise();
    let event_loop = EventLoop::new(near, far, chime.clone()).unwrap();
    let handle = event_loop.handle();
    (event_loop, User { handle, inbound, outbound, chime })
}

impl User {
    fn write(&mut self) -> bool {
        let is_written = self.outbound.push(LABEL, &LARGE, 0);
        self.outbound.publish();
        is_written
    }

    /// Whether nobody has rung since it went to sleep.
    fn is_asleep(&self) -> bool {
        self.chime.0.ring()
    }
}

impl EventLoop {
    /// Publishes something for the user.
    fn publish_something(&mut self) {
        self.loop_notices.push_back(LoopNotice::of(kind::ANSWER, 1));
        self.tell();
        self.inbound.publish();
    }

    /// Whether nobody has rung since it went to sleep.
    fn is_asleep(&self) -> bool {
        self.handle.0.alarm.doorbell.ring()
    }
}

#[test]
fn a_user_who_waits_for_room_sees_it_or_is_rung() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        assert!(user.write());
        let thread = thread::spawn(move || {
            let chime = user.chime.clone();
            let found = chime.0.rest_unless(|| {
                user.handle.await_room();
                user.write()
            });
            (user, found)
        });
        event_loop.take_records();
        let (user, found) = thread.join().unwrap();
        assert!(found || !user.is_asleep(), "it sleeps though there is room");
    });
}

#[test]
fn a_user_who_waits_for_records_sees_them_or_is_rung() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        let thread = thread::spawn(move || {
            let chime = user.chime.clone();
            let found = chime.0.rest_unless(|| !user.inbound.is_empty());
            (user, found)
        });
        event_loop.publish_something();
        let (user, found) = thread.join().unwrap();
        assert!(found || !user.is_asleep(), "it sleeps beside a record");
    });
}

#[test]
fn a_user_whose_second_look_finds_records_is_not_woken_again_for_them() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        event_loop.publish_something();
        let chime = user.chime.clone();
        assert!(chime.0.rest_unless(|| !user.inbound.is_empty()));
        assert!(!user.is_asleep());
    });
}

#[test]
fn a_loop_that_goes_to_sleep_sees_what_is_written_or_is_rung() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        let thread = thread::spawn(move || {
            assert!(user.write());
            user.handle.wake();
            user
        });
        let found = event_loop.rest();
        let _user = thread.join().unwrap();
        assert!(found || !event_loop.is_asleep(), "it sleeps beside a record");
    });
}

#[test]
fn a_loop_without_room_sees_the_room_or_is_rung() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        while event_loop.inbound.control(9, 0, kind::ANSWER, &[0; 64]) {}
        event_loop.inbound.publish();
        event_loop.loop_notices.push_back(LoopNotice::of(kind::ANSWER, 1));
        let thread = thread::spawn(move || {
            while user.inbound.next().is_some() {}
            user.inbound.release();
            user.handle.wake_for_room(|| true);
            user
        });
        let found = event_loop.rest();
        let _user = thread.join().unwrap();
        assert!(found || !event_loop.is_asleep(), "it sleeps though there is room");
    });
}

#[test]
fn a_loop_that_goes_to_sleep_sees_a_command_or_is_rung() {
    loom::model(|| {
        let (mut event_loop, user) = start();
        let thread = thread::spawn(move || {
            user.handle.command(LoopCommand::CancelConnect(1));
            user
        });
        let found = event_loop.rest();
        let _user = thread.join().unwrap();
        assert!(found || !event_loop.is_asleep(), "it sleeps beside a command");
    });
}

#[test]
fn a_user_sees_that_a_loop_died_or_is_rung_and_then_sees_all_that_it_published() {
    loom::model(|| {
        let (mut event_loop, mut user) = start();
        let thread = thread::spawn(move || {
            let chime = user.chime.clone();
            let mut is_dead = false;
            chime.0.rest_unless(|| {
                is_dead = !user.handle.is_alive();
                // What a loop published before it died is there.
                assert!(!is_dead || !user.inbound.is_empty(), "a record is missed");
                is_dead
            });
            (user, is_dead)
        });
        event_loop.publish_something();
        event_loop.die();
        let (user, is_dead) = thread.join().unwrap();
        assert!(is_dead || !user.is_asleep(), "it sleeps though the loop is dead");
    });
}
