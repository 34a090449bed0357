/** What happens at the end of a connection's times, and what its loop is told of them. */

import {
  ANSWER_ANSWER_SIZE,
  ANSWER_TIME_LEFT,
  ANSWER_TIMEOUT_REASON,
  KIND_MESSAGE_BEGUN,
  KIND_MESSAGE_ENDED,
  KIND_MESSAGE_FIRST,
  KIND_TIMEOUT_ANSWER,
  KIND_TIMEOUTS,
  REASON_FIRST_MESSAGE_TIMEOUT,
  REASON_FRAME_TIMEOUT,
  REASON_IDLE_TIMEOUT,
} from '../native/record.js'
import { isThenable } from '../util/thenable.js'
import { now } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import {
  DRAINING,
  ENDING,
  HAD_MESSAGE,
  IDLE_RUNS,
  INPUT_DONE,
  MESSAGE_BEGUN,
  PAUSED,
  PULL_MODE,
  READING_STOPPED,
  SENDING_FILE,
  TAKEN,
  WATCHES_MESSAGES,
} from './flags.js'
import { callConnHandler } from './handler-failure.js'
import { watchHandlers } from './handler-watch.js'
import { limitsOf } from './limits.js'
import { sendControl } from './send-control.js'
import { checkLiveTimeouts, encodeTimeouts, type LiveTimeouts } from './timeouts.js'

/** See `Conn.setTimeouts`. */
export function setTimeouts(conn: ConnImpl, timeouts: LiveTimeouts): void {
  const changes = checkLiveTimeouts(timeouts)
  if (conn.flags & ENDING) return
  const limits = { ...limitsOf(conn), ...changes }
  conn.coldState().limits = limits
  sendControl(conn, KIND_TIMEOUTS, encodeTimeouts(changes))
  const isRaw = conn.profile.framing.kind === 'raw' && !(conn.flags & TAKEN)
  if (isRaw && limits.frame > 0) watchMessages(conn)
  if (changes.handler !== undefined) watchHandlers(conn)
}

/** Begins to tell the loop where the messages of a raw stream begin and end. */
function watchMessages(conn: ConnImpl): void {
  if (conn.flags & WATCHES_MESSAGES) return
  conn.flags |= WATCHES_MESSAGES
  noteMessages(conn, false, conn.cold?.hasBegun === true)
}

/**
 * Tells the loop how far a raw stream has been decoded, if it has a limit for that.
 *
 * @param hasDecoded whether a message was complete
 * @param isBegun whether a message has begun behind that and is not complete
 */
export function noteMessages(conn: ConnImpl, hasDecoded: boolean, isBegun: boolean): void {
  if (!(conn.flags & WATCHES_MESSAGES) || conn.flags & ENDING) return
  if (hasDecoded && !(conn.flags & HAD_MESSAGE)) {
    conn.flags |= HAD_MESSAGE
    sendControl(conn, KIND_MESSAGE_FIRST)
  }
  const wasBegun = (conn.flags & MESSAGE_BEGUN) !== 0
  if (isBegun && (hasDecoded || !wasBegun)) {
    conn.flags |= MESSAGE_BEGUN
    sendControl(conn, KIND_MESSAGE_BEGUN)
  } else if (!isBegun && wasBegun) {
    conn.flags &= ~MESSAGE_BEGUN
    sendControl(conn, KIND_MESSAGE_ENDED)
  }
}

/** The loop says that a time has ended, and asks whether it begins again. */
export function timedOut(conn: ConnImpl, reason: number): void {
  if (conn.flags & ENDING) return
  let left = timeLeft(conn, reason)
  // In the middle of a file a handler that pings could not write: the peer that takes nothing of it is gone.
  const asksUser =
    conn.profile.handlers.idle !== undefined && !(conn.flags & (TAKEN | SENDING_FILE))
  if (left === 0 && reason === REASON_IDLE_TIMEOUT && asksUser) {
    if (!(conn.flags & IDLE_RUNS)) callIdle(conn)
    if (conn.flags & ENDING) return
    left = limitsOf(conn).idle
  }
  const payload = Buffer.alloc(ANSWER_ANSWER_SIZE)
  payload.writeUInt32LE(reason, ANSWER_TIMEOUT_REASON)
  payload.writeUInt32LE(left, ANSWER_TIME_LEFT)
  sendControl(conn, KIND_TIMEOUT_ANSWER, payload)
}

/** Calls the handler `idle`, which is not called again while its promise has not settled. */
function callIdle(conn: ConnImpl): void {
  callConnHandler(conn, () => {
    const result = conn.profile.handlers.idle?.(conn)
    if (!isThenable(result)) return undefined
    conn.flags |= IDLE_RUNS
    const settled = () => {
      conn.flags &= ~IDLE_RUNS
    }
    const promise = Promise.resolve(result)
    promise.then(settled, settled)
    return promise
  })
}

/** Returns how many milliseconds are left because this side held the input back; 0 if the time is over. */
function timeLeft(conn: ConnImpl, reason: number): number {
  const { flags, cold, profile } = conn
  const limits = limitsOf(conn)
  const isParked = cold?.hasParked === true
  // The loop may not have heard of a pause yet. In a raw stream, whole messages may wait that nobody has looked at.
  const isHeld = flags & (PAUSED | READING_STOPPED) || (isParked && profile.framing.kind === 'raw')
  if (reason === REASON_FRAME_TIMEOUT) return isHeld ? limits.frame : 0
  if (reason === REASON_FIRST_MESSAGE_TIMEOUT) return isHeld ? limits.firstMessage : 0
  const isIdle = reason === REASON_IDLE_TIMEOUT
  const limit = isIdle ? limits.idle : limits.receive
  const taker = flags & TAKEN ? cold?.taker : undefined
  // What holds one side of a pipe is the other side, and silence of both is silence.
  if (isIdle && taker !== undefined && taker.idleLeft === undefined) return 0
  // The server waits for handlers, and has a limit for that.
  if (flags & DRAINING || isHeld || isParked) return limit
  if (isIdle && taker !== undefined) return taker.idleLeft?.(conn, limit) ?? 0
  if (!(flags & PULL_MODE) || flags & (INPUT_DONE | TAKEN)) return 0
  if (cold?.pull === undefined) return limit
  return Math.max(0, Math.ceil(cold.pullSince + limit - now()))
}
