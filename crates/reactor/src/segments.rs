//! Memory for output that waits: large pieces are mapped, so that it goes back to the system when it is freed.
//!
//! An allocator keeps pieces of this size for the next one who asks. After a few hundred peers that did not read,
//! hundreds of megabytes stayed with the process for good.

use memmap2::MmapMut;

/// The most bytes in one segment, and the size of those that are mapped.
pub(crate) const SEGMENT: usize = 64 << 10;
/// From so many bytes on a segment is mapped. The pages that nothing was written to take no memory.
const MAPPED: usize = 16 << 10;
/// Mapped segments that a loop keeps for the next queue: 1 MiB.
const SPARE: usize = 16;

/// Bytes that were appended, and room for more.
#[derive(Debug)]
pub(crate) struct Segment {
    memory: Memory,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Allocated(Box<[u8]>),
    /// `SEGMENT` bytes.
    Mapped(MmapMut),
}

impl Memory {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl Segment {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory.bytes()[..self.length]
    }

    /// Takes as many bytes as there is room for, and returns the others.
    pub(crate) fn append<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = &mut self.memory.bytes_mut()[self.length..];
        let (fits, rest) = bytes.split_at(bytes.len().min(room.len()));
        room[..fits.len()].copy_from_slice(fits);
        self.length += fits.len();
        rest
    }
}

/// Where the queues of one loop get their segments from.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    spare: Vec<MmapMut>,
}

impl Segments {
    /// Makes an empty segment with room for `room` bytes, or for `SEGMENT` if that is less. A mapped one has room for
    /// `SEGMENT` in any case.
    pub(crate) fn take(&mut self, room: usize) -> Segment {
        let memory = match room {
            MAPPED.. => self.spare.pop().or_else(|| MmapMut::map_anon(SEGMENT).ok()),
            _ => None,
        };
        // The system may have no mapping left. Then the allocator says whether there is memory.
        let allocated = || Memory::Allocated(vec![0; room.min(SEGMENT)].into_boxed_slice());
        Segment { memory: memory.map_or_else(allocated, Memory::Mapped), length: 0 }
    }

    /// Takes a segment back. One that is dropped instead goes back to the system.
    pub(crate) fn give_back(&mut self, segment: Segment) {
        if let Memory::Mapped(memory) = segment.memory
            && self.spare.len() < SPARE
        {
            self.spare.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAPPED, Memory, SEGMENT, SPARE, Segments};

    fn is_mapped(memory: &Memory) -> bool {
        matches!(memory, Memory::Mapped(_))
    }

    #[test]
    fn large_segments_are_mapped_and_small_ones_are_not() {
        let mut segments = Segments::default();
        for (room, length, mapped) in [
            (1, 1, false),
            (4096, 4096, false),
            (MAPPED - 1, MAPPED - 1, false),
            (MAPPED, SEGMENT, true),
            (SEGMENT - 1, SEGMENT, true),
            (SEGMENT, SEGMENT, true),
            (SEGMENT * 3, SEGMENT, true),
        ] {
            let mut segment = segments.take(room);
            assert_eq!(is_mapped(&segment.memory), mapped, "{room}");
            assert_eq!(segment.append(&vec![7; SEGMENT * 4]).len(), SEGMENT * 4 - length);
            assert_eq!(segment.bytes(), vec![7; length]);
            assert_eq!(segment.append(b"more"), b"more");
        }
    }

    #[test]
    fn a_bounded_number_of_segments_is_kept_and_comes_out_empty() {
        let mut segments = Segments::default();
        let mut taken: Vec<_> = (0..SPARE * 2).map(|_| segments.take(SEGMENT)).collect();
        for segment in &mut taken {
            segment.append(b"of another connection");
        }
        for segment in taken {
            segments.give_back(segment);
        }
        segments.give_back(Segments::default().take(100));
        assert_eq!(segments.spare.len(), SPARE);
        let segment = segments.take(SEGMENT);
        assert!(is_mapped(&segment.memory));
        assert_eq!(segment.bytes(), b"");
        assert_eq!(segments.spare.len(), SPARE - 1);
    }
}
