/** The state of a connection as bits of one number, which is all that most connections need. */

/** Our half has ended: nothing more can be written. */
export const ENDED = 1
/** `destroy` or `reset` was called: records are dropped until the last one. */
export const DESTROYED = 2
/** The last record has come. */
export const CLOSED = 4
/** The user called `pause`. */
export const PAUSED = 8
/** The loop was told to stop reading. */
export const READING_STOPPED = 16
/** The loop sends no more input. */
export const EOF = 32
/** `write` returned `false`, and the loop was asked to tell when there is room. */
export const DRAIN_ASKED = 64
/** The connection does not keep the process alive. */
export const UNREFED = 128
/** Messages are pulled, because there is no `message` handler. */
export const PULL_MODE = 256
/** The input ended because the server is closing. */
export const DRAINING = 512
/** The connection ends because the user's code threw, which must not stay unseen. */
export const FAILED = 1024
/** A message was pulled and the next one was not asked for yet: there may still be a reply. */
export const MESSAGE_OUT = 2048
/** `close` was called, or there is nothing left to do: input is dropped, and the connection is closing. */
export const CLOSING = 4096
/** No more input follows, and all of it was delivered. */
export const INPUT_DONE = 8192
/** The connection has closed because of a bad frame, and its socket may stay for the last replies. */
export const LAST_REPLIES = 16384
/** The loop is told where the messages of a raw stream begin and end, because there is a limit in time. */
export const WATCHES_MESSAGES = 32768
/** The loop was told that a message of a raw stream has begun and is not complete. */
export const MESSAGE_BEGUN = 65536
/** The loop was told that the first message of a raw stream was complete. */
export const HAD_MESSAGE = 131072
/** The input ended because the connection is as old as `maxLifetime` lets it be. */
export const RETIRED = 262144
/** The connection is piped, or a stream: a taker gets its input and its events in place of the handlers. */
export const TAKEN = 524288
/** The promise of the handler `idle` has not settled. */
export const IDLE_RUNS = 1048576
/** The input has ended where it could not be cut into messages any further. */
export const STREAM_BROKEN = 2097152
/** A file is being sent, and nothing else can be written. */
export const SENDING_FILE = 4194304
/** When a file began, `write` had returned `false` and the handler `drain` was not told yet. */
export const DRAIN_OWED = 8388608
/** Output waits for room in the loop's ring, so that no input is delivered. */
export const HELD = 16777216
/** More than the high-water mark waits to be sent after a reply, so that no input is delivered (`autoPause`). */
export const FULL = 33554432
/** Another framing was chosen, and the loop still delivers what it had read before. */
export const SWITCHING = 67108864
/** The handler `drain` runs. */
export const DRAIN_RUNS = 134217728

/** Our half has ended, whatever ended it. */
export const OUTPUT_OVER: number = ENDED | DESTROYED | CLOSED
/** The connection closes or is closed: what happens to its input and its limits in time does not matter any more. */
export const ENDING: number = CLOSING | DESTROYED | CLOSED
/** Nothing is left to pull, or nobody wants it. */
export const PULLS_OVER: number = INPUT_DONE | TAKEN | ENDING
