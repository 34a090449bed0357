/** The words exchanged with `poll` and `commit`: the twin of crates/binding/src/control.rs. */

/** Loops that an environment can have at a time. */
export const MAX_LOOPS = 128
const FIRST = 4
const EACH = 8
/** Bytes in all. */
export const CONTROL_BYTES: number = 4 * (FIRST + EACH * MAX_LOOPS)

/** 1 if an inline loop can go on at once. */
export const PENDING = 0
/** Milliseconds until an inline loop wants its turn, -1 for never. */
export const DEADLINE = 1
/** To Rust: 1 if we want to sleep after this `commit`. */
export const REST = 2
/** From Rust: 1 if `commit` found something to do. */
export const NEWS = 3

/** Where the words of a loop begin. */
export function wordsOf(loop: number): number {
  return FIRST + EACH * loop
}

/** From Rust: up to where the inbound ring can be read. */
export const IN_TAIL = 0
/** To Rust: up to where it has been read. */
export const IN_HEAD = 1
/** To Rust: up to where the outbound ring is written. */
export const OUT_TAIL = 2
/** From Rust: up to where the loop has taken it. */
export const OUT_HEAD = 3
/** From Rust: 1 once the loop has panicked. */
export const DEAD = 4
/** To Rust: 1 while we wait for room in the outbound ring, and take no records. */
export const WAITS = 5
/** To Rust: 1 once we know that the loop is dead. */
export const BURIED = 6
