//! Waking the other side of a ring: one word, changed by read-modify-writes only.

use crate::sync::{AtomicU32, Ordering};

const ASLEEP: u32 = 0;
const AWAKE: u32 = 1;
/// Asleep, and waiting for room in the ring that this side fills, not only for records.
const HUNGRY: u32 = 2;

/// The handshake between a side that publishes and a side that sleeps when there is nothing to do.
///
/// The publisher publishes first and then calls [`ring`](Self::ring); the sleeper calls
/// [`rest`](Self::rest) and then looks once more before it sleeps. Both change the same word by a
/// read-modify-write, so one of the two comes first in the order of the word's changes:
///
/// - If `ring` came first, the sleeper's `rest` reads it, and its second look sees what was published.
/// - If `rest` came first, `ring` finds the other side asleep, and wakes it.
///
/// With a plain store in `rest`, the sleeper's second look could happen before the store is visible, and
/// the wake-up would be lost. The model in this file shows that (`FENCED = false`).
///
/// A new doorbell is asleep.
#[derive(Debug)]
pub struct Doorbell<const FENCED: bool = true> {
    state: AtomicU32,
}

impl<const FENCED: bool> Default for Doorbell<FENCED> {
    fn default() -> Self {
        Self { state: AtomicU32::new(ASLEEP) }
    }
}

impl<const FENCED: bool> Doorbell<FENCED> {
    /// Makes a doorbell whose owner is asleep.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Called after publishing. True if the other side sleeps and the caller has to wake it.
    #[must_use]
    pub fn ring(&self) -> bool {
        // ORDER: Release makes what was published visible to `rest`; Acquire makes visible what the
        // sleeper did before it slept.
        self.state.swap(AWAKE, Ordering::AcqRel) != AWAKE
    }

    /// Called after giving back room without publishing anything. True if the other side sleeps for lack of
    /// room, `enough` says that there is enough now, and the caller has to wake it.
    #[must_use]
    pub fn ring_for_room(&self, enough: impl FnOnce() -> bool) -> bool {
        // ORDER: a read-modify-write, as in `ring`: either the sleeper sees the room, or this sees the
        // sleeper.
        self.state.fetch_or(0, Ordering::AcqRel) == HUNGRY && enough() && self.ring()
    }

    /// Called before sleeping; the caller then looks once more. `hungry` says that the caller also waits for
    /// room in the ring that it fills.
    pub fn rest(&self, hungry: bool) {
        let state = if hungry { HUNGRY } else { ASLEEP };
        if FENCED {
            // ORDER: see the type's comment: it has to be a read-modify-write.
            self.state.swap(state, Ordering::AcqRel);
        } else {
            self.state.store(state, Ordering::Release);
        }
    }

    /// Rests, looks once more, and rises if there is something. Returns what the look found.
    pub fn rest_unless(&self, look: impl FnOnce() -> bool) -> bool {
        self.rest(false);
        let found = look();
        if found {
            self.rise();
        }
        found
    }

    /// Called when the second look found something, or when the sleeper woke: nobody has to ring now.
    pub fn rise(&self) {
        // ORDER: Acquire makes visible what was published, if `ring` set the word.
        self.state.swap(AWAKE, Ordering::AcqRel);
    }
}

#[cfg(all(test, loom))]
mod loom_doorbell {
    use super::Doorbell;
    use crate::sync::{AtomicU32, Ordering};
    use loom::sync::Arc;
    use loom::thread;

    /// One publication against one attempt to sleep: the second look sees it, or it rings.
    fn nothing_is_lost<const FENCED: bool>() {
        loom::model(|| {
            let bell = Arc::new(Doorbell::<FENCED>::new());
            let published = Arc::new(AtomicU32::new(0));
            bell.rise();
            let producer = {
                let (bell, published) = (bell.clone(), published.clone());
                thread::spawn(move || {
                    published.store(1, Ordering::Release);
                    bell.ring()
                })
            };
            bell.rest(false);
            let seen = published.load(Ordering::Acquire) == 1;
            let rung = producer.join().unwrap();
            assert!(seen || rung, "a wake-up was lost");
        });
    }

    #[test]
    fn a_publication_is_seen_by_the_second_look_or_rings() {
        nothing_is_lost::<true>();
    }

    #[test]
    #[should_panic(expected = "a wake-up was lost")]
    fn without_the_read_modify_write_a_wake_up_is_lost() {
        nothing_is_lost::<false>();
    }

    #[test]
    fn room_given_back_is_seen_by_the_second_look_or_rings() {
        loom::model(|| {
            let bell = Arc::new(Doorbell::<true>::new());
            let head = Arc::new(AtomicU32::new(0));
            bell.rise();
            let consumer = {
                let (bell, head) = (bell.clone(), head.clone());
                thread::spawn(move || {
                    head.store(1, Ordering::Release);
                    bell.ring_for_room(|| true)
                })
            };
            bell.rest(true);
            let seen = head.load(Ordering::Acquire) == 1;
            assert!(seen | consumer.join().unwrap(), "a wake-up for room was lost");
        });
    }

    /// A sleeper that was woken takes what was published without looking at anything but the doorbell first.
    #[test]
    fn whoever_was_woken_sees_what_was_published() {
        loom::model(|| {
            let bell = Arc::new(Doorbell::<true>::new());
            let published = Arc::new(AtomicU32::new(0));
            bell.rise();
            let producer = {
                let (bell, published) = (bell.clone(), published.clone());
                thread::spawn(move || {
                    published.store(1, Ordering::Relaxed);
                    bell.ring()
                })
            };
            bell.rest(false);
            bell.rise();
            let seen = published.load(Ordering::Relaxed) == 1;
            // It rang between the rest and the rise.
            assert!(!producer.join().unwrap() || seen, "woken for nothing");
        });
    }

    #[test]
    fn two_publishers_wake_a_sleeper_once() {
        loom::model(|| {
            let bell = Arc::new(Doorbell::<true>::new());
            let other = {
                let bell = bell.clone();
                thread::spawn(move || bell.ring())
            };
            let one = bell.ring();
            assert!(one ^ other.join().unwrap());
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Doorbell;

    #[test]
    fn only_the_first_ring_after_a_rest_wakes() {
        let bell = <Doorbell>::new();
        assert!(bell.ring());
        assert!(!bell.ring());
        bell.rest(false);
        assert!(bell.ring());
    }

    #[test]
    fn room_wakes_a_sleeper_only_if_it_waits_for_room_and_there_is_enough() {
        let bell = <Doorbell>::new();
        bell.rest(false);
        assert!(!bell.ring_for_room(|| true));
        bell.rest(true);
        assert!(!bell.ring_for_room(|| false));
        assert!(bell.ring_for_room(|| true));
        assert!(!bell.ring_for_room(|| true), "it is awake now");
    }
}
