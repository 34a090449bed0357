/** Deals with the end of a connection's input: tells `end`, and ends our half by itself. */

import { MillraceError } from '../errors.js'
import { closeError, isStreamBroken } from '../native/close-error.js'
import {
  REASON_DRAINING,
  REASON_MAX_LIFETIME,
  REASON_NONE,
  REASON_TAKEN_OVER,
} from '../native/record.js'
import type { ConnImpl } from './conn-impl.js'
import {
  CLOSED,
  DESTROYED,
  DRAINING,
  ENDED,
  ENDING,
  EOF,
  INPUT_DONE,
  MESSAGE_OUT,
  PAUSED,
  RETIRED,
  STREAM_BROKEN,
  SWITCHING,
  TAKEN,
} from './flags.js'
import { callConnHandler } from './handler-failure.js'
import { type LatePromise, watchHandlers } from './handler-watch.js'

/** The loop will send no more input. */
export function inputEnded(conn: ConnImpl, reason: number): void {
  if (conn.flags & (DESTROYED | CLOSED)) return
  if (reason === REASON_TAKEN_OVER) {
    conn.cold?.taker?.takenOver(conn)
    return
  }
  // A taker wants what could not be cut, and the loop sends it once it has heard of that.
  if (conn.flags & TAKEN && isStreamBroken(reason)) return
  const isDrained = reason === REASON_DRAINING || reason === REASON_MAX_LIFETIME
  if (isDrained) conn.flags |= DRAINING
  if (reason === REASON_MAX_LIFETIME) conn.flags |= RETIRED
  if (conn.flags & SWITCHING) {
    // The loop tells it again, because the stream may end elsewhere under the other framing.
    if (conn.cold === undefined || conn.cold.discards === 0) return
    // It was not told yet, because of bytes that do not come any more.
    conn.flags &= ~SWITCHING
  }
  conn.flags |= EOF
  if (isStreamBroken(reason)) conn.flags |= STREAM_BROKEN
  // The rest of a large frame will not come.
  if (conn.cold !== undefined) conn.cold.frame = undefined
  if (reason !== REASON_NONE && !isDrained)
    conn.coldState().error ??= closeError(reason, 0, conn.profile.maxFrame)
  conn.cold?.wakePull()
  if (conn.flags & TAKEN) conn.cold?.taker?.inputEnded(conn)
  else settleInput(conn)
}

/** A promise of a handler has settled. */
export function promiseSettled(conn: ConnImpl, late: LatePromise | undefined): void {
  conn.pendingPromises--
  if (late !== undefined) conn.cold?.latePromises?.delete(late)
  if (conn.flags & EOF) settleInput(conn)
}

/**
 * After the end of the input: once everything is delivered, tells `end`. Once the user is done too, closes
 * the connection.
 */
export function settleInput(conn: ConnImpl): void {
  if (!(conn.flags & EOF) || conn.flags & (TAKEN | ENDING)) return
  if (!(conn.flags & INPUT_DONE)) {
    if (isInputHeld(conn)) return
    conn.flags |= INPUT_DONE
    checkCut(conn)
    if (!(conn.flags & DRAINING) && conn.cold?.error === undefined) {
      callConnHandler(conn, () => conn.profile.handlers.end?.(conn))
      if (conn.flags & ENDING) return
    }
    watchHandlers(conn)
  }
  if (!isUserDone(conn)) return
  conn.close()
}

/** Returns whether there is input that was not delivered, or that a pause holds back. */
function isInputHeld({ flags, cold }: ConnImpl): boolean {
  if (cold?.hasParked === true) return true
  // A paused user may still want to reply. After `end()` there is no reply, so the pause holds nothing back.
  return (flags & PAUSED) !== 0 && !(flags & (ENDED | DRAINING))
}

/** Finds out whether the stream was cut in the middle of a raw message. Replies still go out. */
function checkCut(conn: ConnImpl): void {
  const { flags, cold } = conn
  if (cold === undefined || flags & DRAINING || !cold.hasBegun) return
  cold.error ??= new MillraceError(
    'ERR_FRAME_INCOMPLETE',
    'the stream ended in the middle of a message',
  )
  conn.flags |= STREAM_BROKEN
}

/** Returns whether the user has nothing more to write, as far as one can tell. */
function isUserDone({ flags, cold, pendingPromises, profile }: ConnImpl): boolean {
  if (pendingPromises > 0) return false
  if (flags & ENDED) return true
  if (flags & MESSAGE_OUT) return false
  return !profile.allowHalfOpen || !!(flags & DRAINING) || cold?.error !== undefined
}
