//! The ring in every interleaving of two threads:
//! `RUSTFLAGS="--cfg loom" cargo test -p millrace-ring --lib --profile loom loom`.
//!
//! Each word of the ring's memory is a cell that loom watches: a consumer that reads what is not
//! published, or a producer that writes what is not released, is a race that fails the model.

use crate::record::Label;
use crate::{Doorbell, Memory, pair};
use loom::sync::Arc;
use loom::thread;

const LABEL: Label = Label { slot: 0, generation: 0, kind: 2 };

/// A record so large that the third one has to wrap, and fits only after the first is released.
const PAYLOAD: usize = 384;

#[test]
fn records_cross_whole_and_in_order_over_the_wrap() {
    loom::model(|| {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        let thread = thread::spawn(move || {
            for number in 0..3u8 {
                while !producer.push(LABEL, &[number; PAYLOAD], 0) {
                    thread::yield_now();
                }
                producer.publish();
            }
        });
        for number in 0..3u8 {
            loop {
                if let Some(record) = consumer.next() {
                    assert_eq!(record.payload, [number; PAYLOAD]);
                    break;
                }
                thread::yield_now();
            }
            consumer.release();
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_batch_is_seen_whole_or_not_at_all() {
    loom::model(|| {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        let thread = thread::spawn(move || {
            assert!(producer.push(LABEL, b"one", 0));
            assert!(producer.push(LABEL, b"two", 0));
            producer.publish();
        });
        if consumer.next().is_some() {
            assert_eq!(consumer.next().unwrap().payload, b"two");
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_sleeper_with_an_empty_ring_is_always_rung() {
    loom::model(|| {
        let (mut producer, mut consumer) = pair(Memory::leaked(1024).unwrap());
        let bell = Arc::new(<Doorbell>::new());
        bell.rise();
        let thread = {
            let bell = bell.clone();
            thread::spawn(move || {
                assert!(producer.push(LABEL, b"news", 0));
                producer.publish();
                bell.ring()
            })
        };
        bell.rest(false);
        let seen = consumer.next().is_some();
        assert!(thread.join().unwrap() || seen);
        assert!(seen || consumer.next().is_some());
    });
}
