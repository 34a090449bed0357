//! Threads that begin to wait for a server while its connections close, in every interleaving.

use super::{Awaited, Place, Service};
use crate::balancing::Balance;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;

/// A server for one connection, which it has.
fn full() -> (Arc<Service>, Place) {
    let service = Service::new(Balance::RoundRobin, 1, false);
    let place = service.reserve().unwrap();
    (service, place)
}

/// Begins to wait for a place and looks once more.
fn waits(service: &Arc<Service>) -> (Awaited, Option<Place>) {
    (service.await_place(), service.reserve())
}

#[test]
fn a_place_that_becomes_free_is_seen_by_the_second_look_or_comes() {
    for gives_back in [false, true] {
        loom::model(move || {
            let (service, place) = full();
            let closer =
                thread::spawn(move || if gives_back { place.give_back() } else { drop(place) });
            let (awaited, place) = waits(&service);
            closer.join().unwrap();
            let is_served = place.is_some() || service.has_come(awaited);
            assert!(is_served, "the thread sleeps beside a free place");
        });
    }
}

#[test]
fn two_threads_that_wait_for_one_place_have_it_in_turn_or_are_told() {
    let mut model = loom::model::Builder::new();
    // Without a bound, three threads take minutes.
    model.preemption_bound = Some(3);
    model.check(|| {
        let (service, place) = full();
        // Whoever has the place frees it again, and that must reach the other.
        let uses = |service: &Arc<Service>| {
            let (awaited, place) = waits(service);
            place.is_none().then_some(awaited)
        };
        let other = {
            let service = service.clone();
            thread::spawn(move || uses(&service))
        };
        let closer = thread::spawn(move || drop(place));
        let unserved = [uses(&service), other.join().unwrap()];
        closer.join().unwrap();
        let are_told = unserved.into_iter().flatten().all(|awaited| service.has_come(awaited));
        assert!(are_told, "a thread sleeps beside a free place");
    });
}

#[test]
fn what_a_close_frees_is_seen_by_the_second_look_or_the_close_comes() {
    loom::model(|| {
        let (service, place) = full();
        let is_freed = Arc::new(AtomicBool::new(false));
        let closer = {
            let is_freed = is_freed.clone();
            thread::spawn(move || {
                // The kernel's business: a descriptor, or memory.
                is_freed.store(true, Ordering::Relaxed);
                drop(place);
            })
        };
        let awaited = service.await_close();
        let is_seen = is_freed.load(Ordering::Relaxed);
        closer.join().unwrap();
        assert!(is_seen || service.has_come(awaited), "the thread sleeps beside what was freed");
    });
}
