//! The standard library's atomics, or loom's where the models run: for the words by which threads wait for each other.

#[cfg(not(loom))]
pub(crate) use crossbeam_queue::ArrayQueue;
#[cfg(loom)]
pub(crate) use late::ArrayQueue;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, fence};

#[cfg(loom)]
mod late {
    use super::AtomicUsize;
    use std::sync::atomic::Ordering;

    /// A queue of which a thread may see late what another one took, as loom makes it happen. Everything that is done
    /// with it begins with something that loom sees, or loom would not try both orders.
    #[derive(Debug)]
    pub(crate) struct ArrayQueue<T> {
        items: crossbeam_queue::ArrayQueue<T>,
        length: AtomicUsize,
    }

    impl<T> ArrayQueue<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            Self { items: crossbeam_queue::ArrayQueue::new(capacity), length: AtomicUsize::new(0) }
        }

        pub(crate) fn push(&self, item: T) -> Result<(), T> {
            self.note();
            self.items.push(item)?;
            self.length.fetch_add(1, Ordering::AcqRel);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.note();
            let item = self.items.pop()?;
            self.length.fetch_sub(1, Ordering::AcqRel);
            Some(item)
        }

        pub(crate) fn is_full(&self) -> bool {
            self.length.load(Ordering::Acquire) == self.items.capacity()
        }

        fn note(&self) {
            self.length.fetch_add(0, Ordering::AcqRel);
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.note();
            self.items.is_empty()
        }

        #[cfg(test)]
        pub(crate) fn len(&self) -> usize {
            self.items.len()
        }
    }
}
