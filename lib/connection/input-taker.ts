/** Takes what a connection receives in place of its handlers: a pipe, or a stream. */

import {
  KIND_TAKE,
  TAKE_ELSEWHERE,
  TAKE_TAKE_SIZE,
  TAKE_TO_GENERATION,
  TAKE_TO_SLOT,
} from '../native/record.js'
import { clearTimeout } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import {
  EOF,
  INPUT_DONE,
  PAUSED,
  STREAM_BROKEN,
  SWITCHING,
  TAKEN,
  WATCHES_MESSAGES,
} from './flags.js'
import { park } from './reading.js'
import { sendControl } from './send-control.js'
import { noteMessages } from './timed-out.js'

/** Called by a connection. All bytes are as they came from the wire, without regard to frames. */
export interface InputTaker {
  /**
   * Returns how many milliseconds of `idle` are left; 0 if its time is over. The loop does not stop this time while a
   * taken connection is not read. Not for a pipe: what holds one side is the other one, and silence of both is silence.
   */
  idleLeft?(conn: ConnImpl, limit: number): number
  /** Bytes were received. They are valid until this returns. */
  receive(conn: ConnImpl, bytes: Buffer): void
  /** The loop delivers no more input, because it passes the rest on by itself. */
  takenOver(conn: ConnImpl): void
  /** The output has drained, after a write that returned `false`. */
  drained(conn: ConnImpl): void
  /** The input has ended, and all of it was delivered. */
  inputEnded(conn: ConnImpl): void
  /** Our half has ended. */
  outputEnded(conn: ConnImpl): void
  /** The connection is being closed: what arrives from now on is dropped. */
  closing(conn: ConnImpl): void
  /** The connection has closed. Called before its handler `close`. */
  closed(conn: ConnImpl, error: Error | undefined): void
}

/**
 * Gives a connection to a taker, and tells the loop. What was received before is left to {@link passOnReceived}.
 *
 * @param to is the connection that gets the input. If the loop has that too, it takes over once everything that it
 *   had read before is here.
 */
export function takeInput(conn: ConnImpl, taker: InputTaker, to?: ConnImpl): void {
  // The loop need not be told any more where messages begin and end.
  noteMessages(conn, true, false)
  conn.flags = (conn.flags | TAKEN) & ~(PAUSED | WATCHES_MESSAGES | SWITCHING)
  // The connection stays while it is taken, and the server waits for it.
  conn.pendingPromises++
  const cold = conn.coldState()
  cold.taker = taker
  // It would end the connection, because the taker is a promise that does not settle.
  clearTimeout(cold.handlerTimer)
  cold.handlerTimer = undefined
  if (conn.flags & STREAM_BROKEN) {
    // It matters no more where messages end. The loop delivers what it could not cut, and tells the end after it.
    cold.error = undefined
    conn.flags &= ~(STREAM_BROKEN | INPUT_DONE | (conn.profile.frameShape === undefined ? 0 : EOF))
  }
  const { frame, frameLength } = cold
  // The rest of a large frame follows as bytes.
  if (frame !== undefined && frameLength > 0) park(conn, frame, 0, frameLength)
  cold.frame = undefined
  cold.dropParked()
  // A pull that waits is refused from now on.
  cold.wakePull()
  tellLoop(conn, to)
}

function tellLoop(conn: ConnImpl, to: ConnImpl | undefined): void {
  const payload = Buffer.alloc(TAKE_TAKE_SIZE)
  // The loop would pass on what is to be dropped.
  const isDropping = (conn.cold?.discards ?? 0) > 0
  const isSame = conn.eventLoop === to?.eventLoop && !isDropping
  payload.writeUInt32LE(isSame ? to.slot : TAKE_ELSEWHERE, TAKE_TO_SLOT)
  payload.writeUInt32LE(isSame ? to.generation : 0, TAKE_TO_GENERATION)
  sendControl(conn, KIND_TAKE, payload)
}

/**
 * Passes on what a connection has received and not delivered. Not to be called at once: a handler may be running in
 * the middle of a chunk, whose rest is parked when it returns.
 */
export function passOnReceived({ cold }: ConnImpl, passOn: (bytes: Buffer) => void): void {
  if (cold === undefined) return
  const { unread } = cold
  cold.unread = undefined
  if (unread !== undefined && unread.length > 0)
    passOn(unread.memory.subarray(unread.start, unread.end))
  const { parked } = cold
  while (parked?.take()) passOn(parked.memory.subarray(parked.at, parked.end))
}
