//! The layout of the control words that `poll` and `commit` exchange with JavaScript. Its twin is
//! `lib/native/control-words.ts`.

/// The most loops that an environment can have at a time.
pub(crate) const MAX_LOOPS: usize = 128;
/// Words before those of the first loop.
const FIRST: usize = 4;
/// Words for each loop.
const EACH: usize = 8;
/// Words in all.
pub(crate) const WORDS: usize = FIRST + EACH * MAX_LOOPS;

/// 1 if an inline loop can go on at once.
pub(crate) const PENDING: usize = 0;
/// Milliseconds until an inline loop needs its next turn; -1 is never.
pub(crate) const DEADLINE: usize = 1;
/// From JavaScript: 1 if JavaScript wants to sleep after this `commit`.
pub(crate) const REST: usize = 2;
/// To JavaScript: 1 if `commit` found something to do.
pub(crate) const NEWS: usize = 3;

/// To JavaScript: the position up to which the inbound ring can be read.
pub(crate) const IN_TAIL: usize = 0;
/// From JavaScript: the position up to which it was read.
pub(crate) const IN_HEAD: usize = 1;
/// From JavaScript: the position up to which the outbound ring is written.
pub(crate) const OUT_TAIL: usize = 2;
/// To JavaScript: the position up to which the loop has taken it.
pub(crate) const OUT_HEAD: usize = 3;
/// To JavaScript: 1 once the loop has panicked.
pub(crate) const DEAD: usize = 4;
/// From JavaScript: 1 while JavaScript waits for room in the outbound ring and takes no records.
pub(crate) const WAITS: usize = 5;
/// From JavaScript: 1 once JavaScript knows that the loop is dead.
pub(crate) const BURIED: usize = 6;

/// The index of a loop's word.
pub(crate) fn at(index: usize, word: usize) -> usize {
    FIRST + EACH * index + word
}
