/** Where a connection is, as bits of one number: most never need more. */

/** Nothing more can be written. */
export const ENDED = 1
/** `destroy` was called: its records are dropped up to its end. */
export const DESTROYED = 2
/** The last word was heard. */
export const CLOSED = 4
/** The user paused it. */
export const PAUSED = 8
/** The loop was told to stop reading. */
export const HELD = 16
/** Nothing more comes in. */
export const EOF = 32
/** `write` said `false`, and the loop was asked to say when there is room. */
export const ASKED = 64
/** It does not keep the process alive. */
export const UNREFED = 128
/** Messages are pulled, not handed to `message`. */
export const PULLED = 256
/** The input ended because the server is closing. */
export const DRAINING = 512
/** It ends for a throw of its user's code, which must not go unseen. */
export const FAILED = 1024
/** Somebody pulled a message and has not asked for the next: there may be a reply yet. */
export const PULLING = 2048
