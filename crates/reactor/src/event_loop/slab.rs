//! Sockets by slot and generation: the handle of one that is gone finds nothing.

use std::collections::VecDeque;

/// A store of values under slots. A slot is used again, each time with another generation.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    /// Freed in this turn: an event or a record of this turn may still name these slots.
    retired: Vec<u32>,
    /// Freed in earlier turns, each with the position in the ring up to which the user has to read before it knows.
    untold: VecDeque<(u32, u32)>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), retired: Vec::new(), untold: VecDeque::new() }
    }

    /// The slot and generation that the next [`insert`](Self::insert) uses.
    pub(super) fn next(&self) -> (u32, u32) {
        match self.free.last() {
            Some(slot) => (*slot, self.entries[*slot as usize].generation),
            None => (self.entries.len() as u32, 0),
        }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.entries[slot as usize].value = Some(value);
            slot
        } else {
            self.entries.push(Entry { generation: 0, value: Some(value) });
            (self.entries.len() - 1) as u32
        }
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(u32, &mut T)> {
        let entry = self.entries.get_mut(slot as usize)?;
        Some((entry.generation, entry.value.as_mut()?))
    }

    pub(super) fn find(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        let (current, value) = self.get_mut(slot)?;
        (current == generation).then_some(value)
    }

    /// Finds two values at once: one by its slot, and another one by its slot and generation.
    pub(super) fn pair(
        &mut self,
        slot: u32,
        (other, generation): (u32, u32),
    ) -> Option<(&mut T, &mut T)> {
        let [one, other] = self.entries.get_disjoint_mut([slot as usize, other as usize]).ok()?;
        let other = other.value.as_mut().filter(|_| other.generation == generation)?;
        Some((one.value.as_mut()?, other))
    }

    /// Removes a value; its slot is free again after [`recycle`](Self::recycle).
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.entries.get_mut(slot as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.retired.push(slot);
        Some(value)
    }

    /// Frees the slots of values that were removed in this turn. Called between turns.
    pub(super) fn recycle(&mut self) {
        self.free.append(&mut self.retired);
    }

    /// Does the same later: frees the slots once the user has read the ring up to `position`, before which it is told of
    /// the removal. Until then the user asks about the removed value by its slot, and must not hear of another one.
    pub(super) fn recycle_when_read(
        &mut self,
        position: u32,
        mut is_read: impl FnMut(u32) -> bool,
    ) {
        self.untold.extend(self.retired.drain(..).map(|slot| (slot, position)));
        while let Some((slot, position)) = self.untold.front()
            && is_read(*position)
        {
            self.free.push(*slot);
            self.untold.pop_front();
        }
    }

    /// How many slots there are, free ones included.
    pub(super) fn slots(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Removes everything at once.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.free.clear();
        self.retired.clear();
        self.untold.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn a_freed_slot_is_not_used_again_before_the_next_turn() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        slab.remove(first);
        assert_ne!(slab.insert('b'), first);
        slab.recycle();
        assert_eq!(slab.insert('c'), first);
    }

    #[test]
    fn a_freed_slot_is_not_used_again_before_the_user_has_read_of_it() {
        let mut slab = Slab::new();
        let [first, second] = ['a', 'b'].map(|value| slab.insert(value));
        slab.remove(second);
        slab.recycle_when_read(100, |read| read <= 99);
        slab.remove(first);
        slab.recycle_when_read(200, |read| read <= 100);
        assert_eq!(slab.insert('c'), second);
        assert_eq!(slab.insert('d'), 2);
        slab.recycle_when_read(300, |read| read <= 200);
        assert_eq!(slab.insert('e'), first);
    }

    #[test]
    fn two_different_values_are_found_at_once() {
        let mut slab = Slab::new();
        let [first, second] = ['a', 'b'].map(|value| slab.insert(value));
        assert_eq!(slab.pair(first, (second, 0)), Some((&mut 'a', &mut 'b')));
        assert_eq!(slab.pair(first, (first, 0)), None);
        assert_eq!(slab.pair(first, (second, 1)), None);
        assert_eq!(slab.pair(first, (7, 0)), None);
        slab.remove(second);
        assert_eq!(slab.pair(first, (second, 0)), None);
        assert_eq!(slab.pair(second, (first, 0)), None);
    }

    #[test]
    fn a_handle_of_an_earlier_generation_finds_nothing() {
        let mut slab = Slab::new();
        let (slot, generation) = slab.next();
        slab.insert('a');
        assert_eq!(slab.find(slot, generation), Some(&mut 'a'));
        slab.remove(slot);
        slab.recycle();
        assert_eq!(slab.next(), (slot, generation + 1));
        slab.insert('b');
        assert_eq!(slab.find(slot, generation), None);
        assert_eq!(slab.find(slot, generation + 1), Some(&mut 'b'));
    }
}
