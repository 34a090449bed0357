/** Hands out messages one at a time, for connections without a `message` handler. */

import { SWALLOWED } from '../codec/codec.js'
import { checkHanded, checkUnread, decodeFrame, decodeRaw } from '../codec/decode.js'
import type { FrameShape } from '../codec/frame-shape.js'
import { readerOver } from '../codec/reader-impl.js'
import { connPiped } from '../native/close-error.js'
import { tellsEnd } from '../util/blame.js'
import { deferred } from '../util/deferred.js'
import { GrowingBuffer } from '../util/growing-buffer.js'
import { isLow, MAX_PARKED_ITEMS } from '../util/parked-limit.js'
import { now } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { settleInput } from './end-of-input.js'
import {
  CLOSED,
  EOF,
  FULL,
  HELD,
  MESSAGE_OUT,
  PAUSED,
  PULL_MODE,
  PULLS_OVER,
  READING_STOPPED,
  SWITCHING,
  TAKEN,
} from './flags.js'
import { fail } from './handler-failure.js'
import { limitsOf } from './limits.js'
import type { ParkedInput } from './parked-input.js'
import { parkedLimit, resumeReading } from './pausing.js'
import { noteMessages } from './timed-out.js'

/** See `Conn`'s iteration. */
export function messageIterator(conn: ConnImpl): AsyncIterator<unknown> {
  if (!(conn.flags & PULL_MODE)) {
    throw new TypeError(
      'a connection with a message handler cannot be iterated: leave out the handler',
    )
  }
  return {
    next: () => next(conn),
    return: async () => {
      await stopPulling(conn)
      return { done: true, value: undefined }
    },
  }
}

/** Says that nobody works on a pulled message any more. Returns a promise if that may end the connection. */
function stopPulling(conn: ConnImpl): Promise<void> | undefined {
  conn.flags &= ~MESSAGE_OUT
  if (!(conn.flags & EOF)) return undefined
  // Not at once: whoever asks for the next message ahead may still write the reply to this one.
  // The caller's context is not that of the connection's handlers.
  return Promise.resolve().then(() => conn.scope.runInAsyncScope(settleInput, undefined, conn))
}

async function next(conn: ConnImpl): Promise<IteratorResult<unknown, undefined>> {
  for (;;) {
    if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
    if (conn.cold?.pullTimer !== undefined) conn.cold.lastPull = now()
    const message = pullMessage(conn)
    if (message !== undefined) {
      conn.flags |= MESSAGE_OUT
      return { done: false, value: message }
    }
    // Awaits only after the end of the input: before it, a message that came meanwhile would be missed.
    const settled = stopPulling(conn)
    if (settled !== undefined) await settled
    if (conn.flags & PULLS_OVER) {
      throwEnd(conn)
      return { done: true, value: undefined }
    }
    const cold = conn.coldState()
    if (cold.pull === undefined) {
      cold.pull = deferred<void>()
      const { idle, receive } = limitsOf(conn)
      if (idle > 0 || receive > 0) cold.pullSince = now()
    }
    await cold.pull.promise
  }
}

/** Throws what ended the pulls, if it was an error. */
function throwEnd({ cold, isFailed }: ConnImpl): void {
  if (cold?.pullError !== undefined) throw cold.pullError
  if (cold?.error !== undefined) throw isFailed ? cold.error : tellsEnd(cold.error)
}

/** A closed connection, which cannot be destroyed any more, has input that cannot be decoded: nothing follows it. */
function endPulls(conn: ConnImpl, error: Error): void {
  const cold = conn.coldState()
  cold.pullError = error
  cold.dropInput()
}

/** Returns the next message of what was received, if it is complete. */
function pullMessage(conn: ConnImpl): unknown {
  // `resume` lets a `next()` that waits look again.
  if (conn.flags & (PAUSED | HELD | FULL | SWITCHING) && !(conn.flags & CLOSED)) {
    // A switch may wait for bytes that are to be dropped.
    const isDropping = conn.flags & SWITCHING && (conn.cold?.discards ?? 0) > 0
    if (isDropping && !(conn.flags & (PAUSED | HELD | FULL))) resumeReading(conn)
    return undefined
  }
  const parked = conn.cold?.parked
  if (parked === undefined) {
    resumeReading(conn)
    return undefined
  }
  try {
    const { frameShape } = conn.profile
    return frameShape === undefined ? pullRaw(conn, parked) : pullFrame(conn, frameShape, parked)
  } catch (thrown) {
    // In the context of the handlers: `error` may run.
    const error = conn.scope.runInAsyncScope(fail, undefined, conn, thrown)
    if (conn.flags & CLOSED) endPulls(conn, error)
    return undefined
  } finally {
    if (isLow(parked, parkedLimit(conn))) readOn(conn)
  }
}

/** Most of what was parked is taken. If that was without a switch, twice as much may wait. */
function readOn(conn: ConnImpl): void {
  const { cold } = conn
  if (cold?.fewParked !== undefined && conn.flags & READING_STOPPED) {
    cold.fewParked = cold.fewParked < MAX_PARKED_ITEMS / 2 ? cold.fewParked * 2 : undefined
  }
  resumeReading(conn)
}

function pullFrame(conn: ConnImpl, shape: FrameShape, parked: ParkedInput): unknown {
  // A `decode` that swallows a frame may replace its codec.
  while (!(conn.flags & SWITCHING) && parked.take()) {
    const { memory, at, end } = parked
    const start = shape.bodyStart(memory, at)
    const stop = shape.bodyEnd(memory, at, end)
    const { reader } = parked
    parked.release()
    const message = decodeFrame(conn.currentCodec, reader, start, stop)
    if (message !== undefined) return message
  }
  return undefined
}

function pullRaw(conn: ConnImpl, parked: ParkedInput): unknown {
  const cold = conn.coldState()
  cold.unread ??= new GrowingBuffer()
  const { unread } = cold
  let handed = 0
  for (;;) {
    while (cold.isUnreadFresh && unread.length > 0) {
      const reader = readerOver(unread.memory, false)
      const codec = conn.currentCodec
      const message = decodeRaw(codec, conn, reader, unread.start, unread.end)
      if (message === undefined) {
        if (conn.hasReplaced(codec)) {
          checkHanded(++handed)
          continue
        }
        // The codec that has replaced it looks at them once messages are taken again.
        if (conn.currentCodec !== codec) return undefined
        cold.isUnreadFresh = false
        checkUnread(conn.currentCodec, unread)
        noteMessages(conn, false, true)
        break
      }
      unread.consume(reader.stoppedAt)
      // It may have grown to the largest message, which an idle connection must not keep.
      if (unread.length === 0) cold.unread = undefined
      noteMessages(conn, true, cold.discards > 0)
      if (message !== SWALLOWED) return message
    }
    if (!parked.take()) return undefined
    // A message that was swallowed may have emptied it.
    cold.unread = unread
    unread.append(parked.memory, parked.at + cold.drop(parked.end - parked.at), parked.end)
    cold.isUnreadFresh = true
    if (unread.length === 0) noteMessages(conn, false, cold.discards > 0)
  }
}
