//! The words that `poll` and `commit` exchange with JavaScript: `lib/native/control-words.ts` is its twin.

/// Loops that an environment can have at a time.
pub(crate) const MAX_LOOPS: usize = 128;
/// Words before those of the first loop.
const FIRST: usize = 4;
/// Words of each loop.
const EACH: usize = 8;
/// Words in all.
pub(crate) const WORDS: usize = FIRST + EACH * MAX_LOOPS;

/// 1 if an inline loop can go on at once.
pub(crate) const PENDING: usize = 0;
/// Milliseconds until an inline loop wants its turn, -1 for never.
pub(crate) const DEADLINE: usize = 1;
/// From JavaScript: 1 if it wants to sleep after this `commit`.
pub(crate) const REST: usize = 2;
/// To JavaScript: 1 if `commit` found something for it to do.
pub(crate) const NEWS: usize = 3;

/// To JavaScript: up to where the inbound ring can be read.
pub(crate) const IN_TAIL: usize = 0;
/// From JavaScript: up to where it has been read.
pub(crate) const IN_HEAD: usize = 1;
/// From JavaScript: up to where the outbound ring is written.
pub(crate) const OUT_TAIL: usize = 2;
/// To JavaScript: up to where the loop has taken it.
pub(crate) const OUT_HEAD: usize = 3;
/// To JavaScript: 1 once the loop has panicked.
pub(crate) const DEAD: usize = 4;
/// From JavaScript: 1 while it waits for room in the outbound ring, and takes no records.
pub(crate) const WAITS: usize = 5;
/// From JavaScript: 1 once it knows that the loop is dead.
pub(crate) const BURIED: usize = 6;

/// Where a loop's word is.
pub(crate) fn at(index: usize, word: usize) -> usize {
    FIRST + EACH * index + word
}
