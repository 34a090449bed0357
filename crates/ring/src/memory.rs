//! The bytes a ring works on: lent by the caller, shared by the ring's two ends.

use std::fmt;
#[cfg(loom)]
use std::sync::Arc;

/// The smallest ring. Below it a quarter of the ring is no useful message.
pub const MIN_CAPACITY: usize = 1 << 10;
/// The largest ring: positions are `u32`, and JavaScript masks them as signed 32-bit integers.
pub const MAX_CAPACITY: usize = 1 << 30;

/// Why memory cannot carry a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// The length is no power of two between [`Memory::MIN`] and [`Memory::MAX`].
    Capacity(usize),
    /// The start is not aligned to 8 bytes, as every record is.
    Alignment,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(length) => {
                write!(
                    f,
                    "a ring of {length} bytes: a power of two from {MIN_CAPACITY} to {MAX_CAPACITY} is needed"
                )
            }
            Self::Alignment => write!(f, "ring memory has to be aligned to 8 bytes"),
        }
    }
}

impl std::error::Error for MemoryError {}

/// Memory for one ring. Whoever makes it vouches that it stays there.
pub struct Memory {
    start: *mut u8,
    capacity: u32,
    /// In the models each word is a cell, so that loom sees every access and every race.
    #[cfg(loom)]
    words: Arc<Vec<loom::cell::UnsafeCell<()>>>,
}

// SAFETY: a `Memory` is a pointer and a length; which thread may touch which bytes is decided by the
// ring's positions, and `Producer` and `Consumer` keep to them.
unsafe impl Send for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Memory {
    /// The least capacity in bytes.
    pub const MIN: usize = MIN_CAPACITY;
    /// The greatest capacity in bytes.
    pub const MAX: usize = MAX_CAPACITY;

    /// Borrows `capacity` bytes from `start` for a ring.
    ///
    /// # Errors
    /// [`MemoryError`] if the capacity is no power of two in range, or `start` is not aligned.
    ///
    /// # Safety
    /// The bytes are initialised, stay valid and do not move until both ends of the ring made from
    /// it are dropped, and nobody but those two ends (one of which may be JavaScript, which keeps
    /// to the same positions) touches them meanwhile.
    pub unsafe fn borrowed(start: *mut u8, capacity: usize) -> Result<Self, MemoryError> {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(MemoryError::Capacity(capacity));
        }
        if !(start as usize).is_multiple_of(8) {
            return Err(MemoryError::Alignment);
        }
        Ok(Self::over(start, capacity as u32))
    }

    /// Zeroed memory that lives as long as the process: for rings whose two ends are in Rust, in
    /// tests and tools, which have few of them.
    ///
    /// # Errors
    /// [`MemoryError::Capacity`] if the capacity is no power of two in range.
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

    /// Two handles to the same bytes, one for each end.
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

    /// Where a position falls.
    pub(crate) fn offset(&self, position: u32) -> u32 {
        position & (self.capacity - 1)
    }

    /// The bytes of a range that the consumer owns.
    ///
    /// # Safety
    /// `[offset, offset + length)` lies within the memory and within `[head, tail)`.
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
