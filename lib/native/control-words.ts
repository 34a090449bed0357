/** The words that `poll` and `commit` exchange with Rust: the twin of crates/binding/src/control.rs. */

/** The most loops that an environment can have at a time. */
export const MAX_LOOPS = 128
const FIRST = 4
const EACH = 8

/**
 * The words of this JavaScript environment. Not the property of an object, since users have objects from which they
 * could reach it, and must not take away memory that Rust uses.
 */
export const control: Int32Array = new Int32Array(FIRST + EACH * MAX_LOOPS)

/** From Rust: 1 if an inline loop can go on at once. */
export const PENDING = 0
/** From Rust: milliseconds until an inline loop wants its turn, -1 for never. */
export const DEADLINE = 1
/** To Rust: 1 if we want to sleep after this `commit`. */
export const REST = 2
/** From Rust: 1 if `commit` found something to do. */
export const NEWS = 3

/** Returns where the words of a loop begin. */
export function wordsOf(loop: number): number {
  return FIRST + EACH * loop
}

/** From Rust: up to here the inbound ring can be read. */
export const IN_TAIL = 0
/** To Rust: up to here the inbound ring has been read. */
export const IN_HEAD = 1
/** To Rust: up to here the outbound ring is written. */
export const OUT_TAIL = 2
/** From Rust: up to here the loop has taken the outbound ring. */
export const OUT_HEAD = 3
/** From Rust: 1 once the loop has panicked. */
export const DEAD = 4
/** To Rust: 1 while records are queued for room in the outbound ring. */
export const WAITS = 5
/** To Rust: 1 once we know that the loop is dead. */
export const BURIED = 6
