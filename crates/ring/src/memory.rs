//! The bytes that a ring works on: borrowed from the caller, shared by the ring's two ends.

use std::fmt;
#[cfg(loom)]
use std::sync::Arc;

/// The smallest ring. In a smaller one, a quarter of the ring is too short for a message.
pub const MIN_CAPACITY: usize = 1 << 10;
/// The largest ring: positions are `u32`, and JavaScript masks them as signed 32-bit integers.
pub const MAX_CAPACITY: usize = 1 << 30;

/// Why memory cannot be used for a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// The length is not a power of two from [`Memory::MIN`] to [`Memory::MAX`].
    Capacity(usize),
    /// The start is not aligned to 8 bytes, which every record is.
    Alignment,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(length) => {
                write!(
                    f,
                    "a ring's size must be a power of two from {MIN_CAPACITY} to {MAX_CAPACITY}, not {length}"
                )
            }
            Self::Alignment => write!(f, "a ring's memory must be aligned to 8 bytes"),
        }
    }
}

impl std::error::Error for MemoryError {}

/// Memory for one ring. The code that makes it guarantees that the memory stays there.
pub struct Memory {
    start: *mut u8,
    capacity: u32,
    /// In the models each word is a cell, so that loom sees every access and every race.
    #[cfg(loom)]
    words: Arc<Vec<loom::cell::UnsafeCell<()>>>,
}

// SAFETY: a `Memory` is a pointer and a length. The ring's positions decide which thread may use which
// bytes, and `Producer` and `Consumer` keep to them.
unsafe impl Send for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Memory {
    /// The smallest capacity in bytes.
    pub const MIN: usize = MIN_CAPACITY;
    /// The largest capacity in bytes.
    pub const MAX: usize = MAX_CAPACITY;

    /// Borrows `capacity` bytes from `start` for a ring.
    ///
    /// # Errors
    /// [`MemoryError`] if the capacity is not a power of two in range, or `start` is not aligned.
    ///
    /// # Safety
    /// The bytes are initialised, stay valid and do not move until both ends of the ring are dropped. Until
    /// then only those two ends use them (one of which may be in JavaScript and keeps to the same
    /// positions).
    pub unsafe fn borrowed(start: *mut u8, capacity: usize) -> Result<Self, MemoryError> {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(MemoryError::Capacity(capacity));
        }
        if !(start as usize).is_multiple_of(8) {
            return Err(MemoryError::Alignment);
        }
        Ok(Self::over(start, capacity as u32))
    }

    /// Allocates zeroed memory that is never freed: for rings with both ends in Rust, in tests and tools,
    /// which make few of them.
    ///
    /// # Errors
    /// [`MemoryError::Capacity`] if the capacity is not a power of two in range.
    pub fn leaked(capacity: usize) -> Result<Self, MemoryError> {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(MemoryError::Capacity(capacity));
        }
        let words: &'static mut [u64] = Box::leak(vec![0u64; capacity / 8].into_boxed_slice());
        Ok(Self::over(words.as_mut_ptr().cast(), capacity as u32))
    }

    fn over(start: *mut u8, capacity: u32) -> Self {
        Self {
            start,
            capacity,
            #[cfg(loom)]
            words: Arc::new((0..capacity / 8).map(|_| loom::cell::UnsafeCell::new(())).collect()),
        }
    }

    /// Makes two handles to the same bytes, one for each end.
    pub(crate) fn split(self) -> (Self, Self) {
        let other = Self {
            start: self.start,
            capacity: self.capacity,
            #[cfg(loom)]
            words: self.words.clone(),
        };
        (self, other)
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The place of a position in the memory.
    pub(crate) fn offset(&self, position: u32) -> u32 {
        position & (self.capacity - 1)
    }

    /// Reads a range that the consumer owns.
    ///
    /// # Safety
    /// `[offset, offset + length)` is within the memory and within `[head, tail)`.
    pub(crate) unsafe fn read(&self, offset: u32, length: u32) -> &[u8] {
        debug_assert!(offset + length <= self.capacity);
        self.note_read(offset, length);
        // SAFETY: in range by the caller's promise; initialised by `borrowed`'s or `leaked`'s.
        let start = unsafe { self.start.add(offset as usize) };
        // SAFETY: the range is published and not released, so no producer writes there while the
        // slice lives: it borrows from the consumer, which alone can release it.
        unsafe { std::slice::from_raw_parts(start, length as usize) }
    }

    /// The bytes of a range that the producer owns.
    ///
    /// # Safety
    /// `[offset, offset + length)` lies within the memory and outside `[head, tail)`, and the
    /// caller has no other slice over it.
    #[expect(
        clippy::mut_from_ref,
        reason = "the ring's positions decide who owns a range, not the borrow of the handle"
    )]
    pub(crate) unsafe fn write(&self, offset: u32, length: u32) -> &mut [u8] {
        debug_assert!(offset + length <= self.capacity);
        self.note_write(offset, length);
        // SAFETY: in range by the caller's promise; initialised by `borrowed`'s or `leaked`'s.
        let start = unsafe { self.start.add(offset as usize) };
        // SAFETY: the range is free, so no consumer reads there, and the caller has no other slice.
        unsafe { std::slice::from_raw_parts_mut(start, length as usize) }
    }

    #[cfg(not(loom))]
    fn note_read(&self, _offset: u32, _length: u32) {}
    #[cfg(not(loom))]
    fn note_write(&self, _offset: u32, _length: u32) {}

    #[cfg(loom)]
    fn note_read(&self, offset: u32, length: u32) {
        for word in offset / 8..(offset + length).div_ceil(8) {
            self.words[word as usize].with(|_| ());
        }
    }
    #[cfg(loom)]
    fn note_write(&self, offset: u32, length: u32) {
        for word in offset / 8..(offset + length).div_ceil(8) {
            self.words[word as usize].with_mut(|_| ());
        }
    }
}
