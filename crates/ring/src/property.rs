//! Rings compared with a queue of vectors, and their edge cases.

use crate::record::{HEADER, Label};
use crate::{Consumer, Memory, Producer, pair};
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Step {
    /// Push a payload of this length.
    Push(u32),
    /// Reserve from the first to the second length, and commit the share given by the third.
    Reserve(u32, u32, u32),
    /// Reserve, and commit nothing.
    Abandon(u32),
    Publish,
    Take(usize),
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u32..300).prop_map(Step::Push),
        2 => (0u32..100, 0u32..400, 0u32..=100).prop_map(|(min, more, share)| Step::Reserve(min, min + more, share)),
        1 => (0u32..300).prop_map(Step::Abandon),
        3 => Just(Step::Publish),
        4 => (1usize..8).prop_map(Step::Take),
        3 => Just(Step::Release),
    ];
    proptest::collection::vec(step, 1..400)
}

/// A ring, and what it has to hold.
struct Model {
    producer: Producer,
    consumer: Consumer,
    committed: VecDeque<(Label, Vec<u8>)>,
    published: VecDeque<(Label, Vec<u8>)>,
    count: u32,
}

impl Model {
    fn next(&mut self, length: u32) -> (Label, Vec<u8>) {
        self.count += 1;
        let label = Label { slot: self.count, generation: !self.count, kind: self.count % 23 };
        (label, (0..length).map(|at| (self.count + at) as u8).collect())
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Push(length) => {
                let (label, payload) = self.next(length);
                if self.producer.push(label, &payload, 0) {
                    self.committed.push_back((label, payload));
                }
            }
            Step::Reserve(min, want, share) => {
                let Some(mut reservation) = self.producer.reserve(min, want, 64) else { return };
                let room = reservation.bytes().len() as u32;
                assert!((min..=want).contains(&room), "{min} <= {room} <= {want}");
                let length = room * share / 100;
                self.count += 1;
                let label = Label { slot: self.count, generation: 7, kind: 2 };
                let payload: Vec<u8> = (0..length).map(|at| (at * 3) as u8).collect();
                reservation.bytes()[..length as usize].copy_from_slice(&payload);
                reservation.commit(label, length);
                self.committed.push_back((label, payload));
            }
            Step::Abandon(length) => {
                if let Some(mut reservation) = self.producer.reserve(length, length, 0) {
                    reservation.bytes().fill(0xff);
                }
            }
            Step::Publish => {
                assert_eq!(self.producer.publish(), !self.committed.is_empty());
                self.published.append(&mut self.committed);
            }
            Step::Take(count) => {
                for _ in 0..count {
                    let expected = self.published.pop_front();
                    let taken = self.consumer.next().map(|r| (r.label, r.payload.to_vec()));
                    assert_eq!(taken, expected);
                }
            }
            Step::Release => {
                self.consumer.release();
            }
        }
    }
}

/// Miri takes seconds for each.
const CASES: u32 = if cfg!(miri) { 8 } else { 512 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_come_out_in_the_order_in_which_they_went_in(steps in steps(), at in any::<u32>()) {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        // Start anywhere in the range of positions, so that they wrap.
        start_at(&mut producer, &mut consumer, at);
        let mut model = Model {
            producer, consumer, count: 0,
            committed: VecDeque::new(), published: VecDeque::new(),
        };
        for step in &steps {
            model.step(step);
        }
        model.step(&Step::Publish);
        while !model.published.is_empty() {
            model.step(&Step::Take(1));
        }
        prop_assert!(model.consumer.next().is_none());
    }
}

/// Moves both ends to a position, as if much had passed through the ring.
fn start_at(producer: &mut Producer, consumer: &mut Consumer, at: u32) {
    let target = at & !7;
    producer.jump(target);
    consumer.jump(target);
}

const LABEL: Label = Label { slot: 0, generation: 0, kind: 2 };

#[test]
fn a_full_ring_refuses_and_goes_on_after_a_release() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    let mut pushed = 0;
    while producer.push(LABEL, &[7; 100], 0) {
        pushed += 1;
    }
    assert_eq!(pushed, 1024 / 120);
    producer.publish();
    assert!(consumer.next().is_some());
    assert!(!producer.push(LABEL, &[7; 100], 0), "taken, but not yet released");
    consumer.release();
    assert!(producer.push(LABEL, &[7; 80], 0));
}

#[test]
fn a_push_leaves_the_room_free_that_it_has_to_leave() {
    let (mut producer, _consumer) = pair(Memory::leaked(1024).unwrap());
    while producer.push(LABEL, &[1; 48], 256) {}
    assert!(producer.free() >= 256);
    assert!(producer.push(LABEL, &[1; 48], 0), "but control may use it");
}

#[test]
fn a_reservation_skips_an_end_that_is_too_short() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert!(producer.push(LABEL, &[1; 960], 0));
    producer.publish();
    consumer.next();
    consumer.release();
    let mut reservation = producer.reserve(200, 400, 0).unwrap();
    assert_eq!(reservation.bytes().len(), 400);
    reservation.commit(LABEL, 400);
    producer.publish();
    assert_eq!(consumer.next().unwrap().payload.len(), 400);
}

#[test]
fn a_position_is_consumed_once_the_consumer_has_released_it() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert!(producer.is_consumed(producer.position()));
    assert!(producer.push(LABEL, b"x", 0));
    let position = producer.position();
    producer.publish();
    assert!(!producer.is_consumed(position));
    consumer.next();
    assert!(!producer.is_consumed(position));
    consumer.release();
    assert!(producer.is_consumed(position));
}

#[test]
fn a_position_stays_consumed_however_far_the_ring_goes_on() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert!(producer.push(LABEL, b"x", 0));
    let position = producer.position();
    for gigabytes in [1u32, 2, 3] {
        start_at(&mut producer, &mut consumer, gigabytes << 30 | 512);
        assert!(producer.is_consumed(position), "after {gigabytes} GiB");
    }
}

#[test]
fn discarded_records_are_never_seen() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert!(producer.push(LABEL, b"kept", 0));
    producer.publish();
    assert!(producer.push(LABEL, b"lost", 0));
    producer.discard();
    assert!(!producer.publish());
    assert_eq!(consumer.next().unwrap().payload, b"kept");
    assert!(consumer.next().is_none());
}

#[test]
#[should_panic(expected = "reaches past what was published")]
fn a_wrong_length_is_caught_before_memory_is_read() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert!(producer.push(LABEL, &[0; 64], 0));
    producer.publish_at(HEADER + 8);
    consumer.next();
}

#[test]
#[should_panic(expected = "reaches past what was published")]
fn a_wrong_length_behind_a_skip_is_caught_too() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    producer.jump(1000);
    consumer.jump(1000);
    // It does not fit before the end of the memory.
    assert!(producer.push(LABEL, &[0; 40], 0));
    producer.publish_at(1024 + HEADER + 8);
    consumer.next();
}

#[test]
fn memory_must_be_a_power_of_two_in_range() {
    for capacity in [0, 512, 1025, 3000, Memory::MAX * 2] {
        assert!(Memory::leaked(capacity).is_err(), "{capacity}");
    }
}

#[test]
fn a_producer_knows_how_much_is_free_and_where_it_is() {
    let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
    assert_eq!((producer.position(), producer.free()), (0, 1024));
    assert!(producer.push(LABEL, &[0; 40], 0));
    assert_eq!((producer.position(), producer.free()), (56, 968));
    producer.publish();
    assert!(consumer.next().is_some() && consumer.release());
    assert_eq!((producer.position(), producer.free()), (56, 1024));
}
