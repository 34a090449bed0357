//! When each time ends, with made-up clocks.

use super::{Expired, Frames, Observed, Phase, TimeoutWatch, UNCHANGED};
use crate::notices::Cause;
use crate::profile::Timeouts;
use crate::run_queue::Next;
use crate::timers::{Moment, Timers};
use millrace_ring::record::reason;
use std::time::{Duration, Instant};

const OPEN: Phase = Phase { flows: true, is_closing: false };
const NOTHING: Observed = Observed {
    received: 0,
    sent: 0,
    frames: Frames::Cut { begun: None },
    had_frame: false,
    has_output: false,
    is_held: false,
    is_taken: false,
};

fn at(millis: u64) -> Moment {
    let start = Instant::now();
    Timers::new(start).clock(start).after(Duration::from_millis(1000 + millis))
}

fn watch(limits: Timeouts) -> TimeoutWatch {
    TimeoutWatch { jitter: 0, ..TimeoutWatch::start(limits, (0, 0), at(0)) }
}

/// Observes, and says when the next time ends, in milliseconds from the start.
fn end(watch: &mut TimeoutWatch, observed: Observed, now: u64) -> Option<u64> {
    watch.observe(observed, at(now));
    watch.next_end(OPEN).map(|end| end.since(at(0)))
}

fn limit(set: impl FnOnce(&mut Timeouts)) -> Timeouts {
    let mut limits = Timeouts::default();
    set(&mut limits);
    limits
}

#[test]
fn idle_is_renewed_by_bytes_in_both_directions_and_receive_only_by_those_received() {
    let mut idle = watch(limit(|limits| limits.idle = 100));
    let mut receive = watch(limit(|limits| limits.receive = 100));
    let both = |idle: &mut _, receive: &mut _, observed, now| {
        (end(idle, observed, now), end(receive, observed, now))
    };
    assert_eq!(both(&mut idle, &mut receive, NOTHING, 10), (Some(100), Some(100)));
    let received = Observed { received: 5, ..NOTHING };
    assert_eq!(both(&mut idle, &mut receive, received, 20), (Some(120), Some(120)));
    let sent = Observed { sent: 5, ..received };
    assert_eq!(both(&mut idle, &mut receive, sent, 50), (Some(150), Some(120)));
    assert_eq!(both(&mut idle, &mut receive, sent, 90), (Some(150), Some(120)));
}

#[test]
fn the_first_message_has_to_be_whole_in_time_and_ends_the_limit() {
    let mut watch = watch(limit(|limits| limits.first_message = 100));
    let part = Observed { received: 5, frames: Frames::Cut { begun: Some(0) }, ..NOTHING };
    assert_eq!(end(&mut watch, part, 50), Some(100));
    assert_eq!(end(&mut watch, Observed { had_frame: true, ..part }, 60), None);
    assert_eq!(end(&mut watch, NOTHING, 70), None);
}

#[test]
fn a_frame_is_timed_from_its_own_beginning_whatever_else_arrives() {
    let mut watch = watch(limit(|limits| limits.frame = 100));
    let begun =
        |at, received| Observed { received, frames: Frames::Cut { begun: Some(at) }, ..NOTHING };
    assert_eq!(end(&mut watch, NOTHING, 10), None);
    assert_eq!(end(&mut watch, begun(7, 8), 20), Some(120));
    assert_eq!(end(&mut watch, begun(7, 9), 90), Some(120), "a byte more renews nothing");
    assert_eq!(end(&mut watch, begun(30, 31), 95), Some(195), "the next frame has its own time");
    assert_eq!(end(&mut watch, NOTHING, 99), None);
}

#[test]
fn a_raw_message_is_timed_from_when_the_user_says_so() {
    let mut watch = watch(limit(|limits| limits.frame = 100));
    let raw = Observed { frames: Frames::Raw, ..NOTHING };
    watch.note_raw_message(false, at(10));
    assert_eq!(end(&mut watch, raw, 20), Some(110));
    watch.note_raw_message(false, at(30));
    assert_eq!(end(&mut watch, raw, 30), Some(130));
    watch.note_raw_message(true, at(40));
    assert_eq!(end(&mut watch, raw, 40), None);
}

#[test]
fn output_that_waits_is_timed_from_when_the_kernel_last_took_some() {
    let mut watch = watch(limit(|limits| limits.write = 100));
    let waits = |sent| Observed { sent, has_output: true, ..NOTHING };
    assert_eq!(end(&mut watch, waits(0), 10), Some(110));
    assert_eq!(end(&mut watch, waits(0), 90), Some(110));
    assert_eq!(end(&mut watch, waits(1), 100), Some(200));
    assert_eq!(end(&mut watch, NOTHING, 120), None);
    assert_eq!(end(&mut watch, waits(1), 130), Some(230));
    // We hold the reading: that is no excuse for a peer that does not read.
    assert_eq!(end(&mut watch, Observed { is_held: true, ..waits(1) }, 140), Some(230));
}

#[test]
fn all_but_write_stand_still_while_we_do_not_read_and_then_go_on() {
    let all = Timeouts { idle: 100, receive: 200, first_message: 300, frame: 400, ..limit(|_| ()) };
    let mut watch = watch(all);
    let part = Observed { received: 1, frames: Frames::Cut { begun: Some(0) }, ..NOTHING };
    assert_eq!(end(&mut watch, part, 10), Some(110));
    let held = Observed { is_held: true, ..part };
    assert_eq!(end(&mut watch, held, 50), None);
    assert_eq!(end(&mut watch, held, 5000), None);
    // 1,000 ms passed in which it was held.
    assert_eq!(end(&mut watch, part, 1050), Some(1110));
    let ends = watch.ends(OPEN).map(|end| end.map(|(end, _)| end.since(at(0))));
    assert_eq!(ends, [Some(1110), Some(1210), Some(1300), Some(1410), None, None]);
}

#[test]
fn what_moves_while_it_is_held_is_not_shifted_beyond_now() {
    let mut watch = watch(limit(|limits| limits.idle = 100));
    let held = Observed { is_held: true, ..NOTHING };
    end(&mut watch, held, 10);
    end(&mut watch, Observed { sent: 1, ..held }, 500);
    assert_eq!(end(&mut watch, Observed { sent: 1, ..NOTHING }, 600), Some(700));
}

#[test]
fn the_end_of_a_time_asks_once_and_the_answer_begins_it_again_or_closes() {
    for (limits, reason) in [
        (limit(|limits| limits.idle = 100), reason::IDLE_TIMEOUT),
        (limit(|limits| limits.receive = 100), reason::RECEIVE_TIMEOUT),
    ] {
        let mut watch = watch(limits);
        assert_eq!(watch.expire(OPEN, at(99)), (Expired::Nothing, reason::NONE));
        assert_eq!(watch.expire(OPEN, at(100)), (Expired::Ask, reason));
        assert_eq!(watch.expire(OPEN, at(999)), (Expired::Nothing, reason::NONE));
        assert_eq!(watch.next_end(OPEN), None);
        assert_eq!(watch.answer(reason, 40, at(200)), Next::Wait);
        assert_eq!(watch.next_end(OPEN), Some(at(240)));
        assert_eq!(watch.answer(reason, 0, at(230)), Next::Wait, "nothing was asked");
        assert_eq!(watch.expire(OPEN, at(240)), (Expired::Ask, reason));
        assert_eq!(watch.answer(reason, 0, at(250)), Next::Close(Cause::of(reason)));
    }
}

#[test]
fn a_message_that_is_complete_by_now_takes_the_question_back() {
    let limits = limit(|limits| (limits.first_message, limits.frame) = (100, 200));
    let begun = |at| Observed { frames: Frames::Cut { begun: Some(at) }, ..NOTHING };
    let mut framed = watch(limits);
    framed.observe(begun(0), at(0));
    let mut raw = watch(limits);
    raw.observe(Observed { frames: Frames::Raw, ..NOTHING }, at(0));
    raw.note_raw_message(false, at(0));
    for watch in [&mut framed, &mut raw] {
        assert_eq!(watch.expire(OPEN, at(100)), (Expired::Ask, reason::FIRST_MESSAGE_TIMEOUT));
        assert_eq!(watch.expire(OPEN, at(200)), (Expired::Ask, reason::FRAME_TIMEOUT));
        assert_eq!(watch.next_end(OPEN), None);
    }
    framed.observe(Observed { had_frame: true, ..begun(30) }, at(210));
    raw.note_first_message();
    raw.note_raw_message(false, at(210));
    for watch in [&mut framed, &mut raw] {
        assert_eq!(watch.answer(reason::FIRST_MESSAGE_TIMEOUT, 0, at(220)), Next::Wait);
        assert_eq!(watch.answer(reason::FRAME_TIMEOUT, 0, at(220)), Next::Wait);
        assert_eq!(watch.expire(OPEN, at(410)), (Expired::Ask, reason::FRAME_TIMEOUT));
        let closed = Next::Close(Cause::of(reason::FRAME_TIMEOUT));
        assert_eq!(watch.answer(reason::FRAME_TIMEOUT, 0, at(411)), closed);
    }
}

#[test]
fn a_byte_that_moves_after_the_question_takes_it_back() {
    let mut watch = watch(limit(|limits| limits.idle = 100));
    watch.expire(OPEN, at(100));
    assert!(watch.asked().idle);
    assert_eq!(end(&mut watch, Observed { sent: 1, ..NOTHING }, 110), Some(210));
    assert!(!watch.asked().idle);
    assert_eq!(watch.answer(reason::IDLE_TIMEOUT, 0, at(120)), Next::Wait);
}

#[test]
fn an_old_connection_is_retired_once() {
    let mut watch = watch(limit(|limits| limits.max_lifetime = 100));
    assert_eq!(watch.expire(OPEN, at(100)), (Expired::Retire, reason::MAX_LIFETIME));
    // It has as long to end as a server that closes.
    let closing = Phase { flows: false, is_closing: true };
    assert_eq!(watch.next_end(closing), Some(at(30_100)));
    assert_eq!(watch.expire(closing, at(30_100)), (Expired::Close, reason::MAX_LIFETIME));
    let mut older = TimeoutWatch { jitter: 255, ..self::watch(watch.limits) };
    assert_eq!(end(&mut older, NOTHING, 0), Some(109), "up to a tenth more");
}

#[test]
fn a_connection_that_closes_has_no_limit_but_for_its_output() {
    let all =
        Timeouts { idle: 1, receive: 1, first_message: 1, frame: 1, write: 100, max_lifetime: 1 };
    let mut watch = watch(all);
    watch.observe(Observed { has_output: true, ..NOTHING }, at(0));
    let closing = Phase { flows: false, is_closing: true };
    assert_eq!(watch.next_end(closing), Some(at(100)));
}

#[test]
fn changed_limits_begin_with_the_change_and_the_others_go_on() {
    let mut watch = watch(limit(|limits| (limits.idle, limits.receive) = (100, 200)));
    let others = UNCHANGED;
    let change = Timeouts {
        idle: 300,
        receive: others,
        first_message: others,
        frame: others,
        write: others,
        max_lifetime: others,
    };
    watch.change(change, at(50));
    assert_eq!(end(&mut watch, NOTHING, 50), Some(200));
    watch.change(Timeouts { idle: others, receive: 0, ..change }, at(60));
    assert_eq!(end(&mut watch, NOTHING, 60), Some(350));
}

#[test]
fn both_sides_of_a_pipe_that_hold_each_other_are_idle() {
    let mut watch = watch(limit(|limits| (limits.idle, limits.receive) = (100, 100)));
    let held = Observed { is_held: true, is_taken: true, ..NOTHING };
    assert_eq!(end(&mut watch, held, 10), Some(100));
    assert_eq!(watch.expire(OPEN, at(100)), (Expired::Ask, reason::IDLE_TIMEOUT));
    assert_eq!(watch.next_end(OPEN), None, "what is received is held");
}
