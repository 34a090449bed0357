/** Delivers received input to `message`, or parks it while the connection is paused or pulled. */

import { checkUnread, decodeFrame, decodeRawStream } from '../codec/decode.js'
import { type ReaderImpl, readerOver } from '../codec/reader-impl.js'
import { KIND_SWITCH } from '../native/record.js'
import { GrowingBuffer } from '../util/growing-buffer.js'
import { isFull } from '../util/parked-limit.js'
import { isThenable } from '../util/thenable.js'
import type { ConnImpl } from './conn-impl.js'
import { settleInput } from './end-of-input.js'
import { FULL, HELD, PAUSED, PULL_MODE, SWITCHING, TAKEN } from './flags.js'
import { fail, trackPromise } from './handler-failure.js'
import { ParkedInput } from './parked-input.js'
import { parkedLimit, resumeReading, stopReading, takesInput, takesMessages } from './pausing.js'
import { sendControl } from './send-control.js'
import { noteMessages } from './timed-out.js'

const NOTHING = Buffer.alloc(0)
const NO_READER = readerOver(NOTHING, true)

/** A record of bytes: one frame as it came from the wire, or a chunk of a raw stream. */
export function receive(
  conn: ConnImpl,
  reader: ReaderImpl,
  memory: Buffer,
  at: number,
  end: number,
): void {
  if (!takesInput(conn)) return
  if (conn.flags & (TAKEN | SWITCHING)) {
    const { cold } = conn
    if (cold !== undefined && cold.discards > 0) {
      const from = at + cold.drop(end - at)
      if (cold.discards > 0) return
      // The switch has waited for that.
      if (conn.flags & SWITCHING) sendControl(conn, KIND_SWITCH)
      if (from < end) receive(conn, reader, memory, from, end)
      return
    }
    if (conn.flags & TAKEN) {
      cold?.taker?.receive(conn, memory.subarray(at, end))
      return
    }
  }
  if (
    conn.flags & (PAUSED | HELD | FULL | PULL_MODE | SWITCHING) ||
    (conn.cold?.parked?.count ?? 0) > 0
  ) {
    park(conn, memory, at, end)
    return
  }
  deliver(conn, reader, memory, at, end)
}

/** A large frame begins, which comes in parts. */
export function beginFrame(conn: ConnImpl, length: number): void {
  if (!takesInput(conn) || conn.flags & (TAKEN | SWITCHING)) return
  const cold = conn.coldState()
  cold.frame = Buffer.allocUnsafeSlow(length)
  cold.frameLength = 0
}

/** The next part of that frame. */
export function addToFrame(conn: ConnImpl, memory: Buffer, at: number, end: number): void {
  const { cold } = conn
  if (conn.flags & TAKEN && takesInput(conn)) {
    cold?.taker?.receive(conn, memory.subarray(at, end))
    return
  }
  if (conn.flags & SWITCHING && takesInput(conn)) {
    park(conn, memory, at, end)
    return
  }
  const frame = cold?.frame
  if (cold === undefined || frame === undefined) return
  memory.copy(frame, cold.frameLength, at, end)
  cold.frameLength += end - at
  if (cold.frameLength < frame.length) return
  cold.frame = undefined
  // Nobody else has this memory, so the message may keep views of it.
  receive(conn, readerOver(frame, true), frame, 0, frame.length)
}

/** Keeps a copy of a piece of input, and stops reading when there is too much. */
export function park(conn: ConnImpl, memory: Buffer, at: number, end: number): void {
  const cold = conn.coldState()
  cold.parked ??= new ParkedInput(conn.profile.frameShape !== undefined)
  cold.parked.push(memory, at, end)
  if (isFull(cold.parked, parkedLimit(conn))) stopReading(conn)
  cold.wakePull()
}

/** Keeps what a handler's `pause` cut off, in front of all that is parked. */
function parkFirst(conn: ConnImpl, memory: Buffer, at: number, end: number): void {
  const cold = conn.coldState()
  cold.parked ??= new ParkedInput(conn.profile.frameShape !== undefined)
  cold.parked.unshift(memory, at, end)
}

/** After `resume`: delivers what is parked, then lets the loop read on. */
export function deliverParked(conn: ConnImpl): void {
  if (conn.flags & TAKEN) return
  if (conn.flags & PULL_MODE) {
    // A `next()` that waits resumes reading.
    conn.cold?.wakePull()
    settleInput(conn)
    return
  }
  conn.eventLoop.environment.delivery.current = conn
  // A codec that was assigned has not seen what the last one left.
  if (conn.cold?.hasFreshUnread === true && takesMessages(conn)) {
    deliver(conn, NO_READER, NOTHING, 0, 0)
  }
  const parked = conn.cold?.parked
  while (parked !== undefined && takesMessages(conn) && parked.take()) {
    deliver(conn, parked.reader, parked.memory, parked.at, parked.end)
  }
  if (conn.flags & (PAUSED | HELD | FULL)) return
  resumeReading(conn)
  settleInput(conn)
}

/**
 * Before `close`: delivers what only waited because output did, which goes nowhere now, or whose turn has not come since
 * it waits no more.
 */
export function deliverHeld(conn: ConnImpl): void {
  while (conn.flags & (HELD | FULL) || hasUndelivered(conn)) {
    conn.flags &= ~(HELD | FULL)
    deliverParked(conn)
    conn.eventLoop.outbound.forget(conn)
  }
}

/** Whether there is parked input that a handler takes. */
function hasUndelivered(conn: ConnImpl): boolean {
  return (conn.cold?.parked?.count ?? 0) > 0 && takesMessages(conn) && !(conn.flags & PULL_MODE)
}

function deliver(
  conn: ConnImpl,
  reader: ReaderImpl,
  memory: Buffer,
  at: number,
  end: number,
): void {
  try {
    const { frameShape } = conn.profile
    if (frameShape === undefined) {
      deliverRaw(conn, reader, memory, at, end)
    } else {
      const start = frameShape.bodyStart(memory, at)
      const stop = frameShape.bodyEnd(memory, at, end)
      const message = decodeFrame(conn.currentCodec, reader, start, stop)
      if (message !== undefined) deliverMessage(conn, message)
    }
  } catch (thrown) {
    fail(conn, thrown)
  }
}

/** Delivers the messages of a chunk, together with what was left unread of the chunks before. */
function deliverRaw(
  conn: ConnImpl,
  reader: ReaderImpl,
  memory: Buffer,
  start: number,
  end: number,
): void {
  let at = start
  if (conn.cold !== undefined && conn.cold.discards > 0) {
    at += conn.cold.drop(end - start)
    if (at === end) {
      noteMessages(conn, false, conn.cold.hasBegun)
      return
    }
  }
  const unread = conn.cold?.unread
  if (unread !== undefined && unread.length > 0) {
    unread.append(memory, at, end)
    const over = readerOver(unread.memory, false)
    const from = unread.start
    const used = decodeChunk(conn, over, unread.memory, from, unread.end)
    // A handler may have closed the connection, which drops its input.
    if (conn.cold?.unread !== unread) return
    unread.consume(used)
    conn.cold.isUnreadFresh = false
    checkUnread(conn.currentCodec, unread)
    // The buffer may have grown to the largest message, which an idle connection must not keep.
    if (unread.length === 0) conn.cold.unread = undefined
    noteMessages(conn, used > from, conn.cold.hasBegun)
    return
  }
  const used = decodeChunk(conn, reader, memory, at, end)
  if (used < end) {
    const rest = new GrowingBuffer()
    const cold = conn.coldState()
    cold.unread = rest
    // A switch may have said otherwise of what was to come.
    cold.isUnreadFresh = false
    rest.append(memory, used, end)
    checkUnread(conn.currentCodec, rest)
  }
  noteMessages(conn, used > at, conn.cold?.hasBegun === true)
}

/** Decodes and delivers messages. Returns up to where the chunk is dealt with. */
function decodeChunk(
  conn: ConnImpl,
  reader: ReaderImpl,
  memory: Buffer,
  from: number,
  end: number,
): number {
  const stoppedAt = decodeRawStream(conn, reader, from, end)
  if (takesMessages(conn)) return stoppedAt
  // A handler has paused or closed the connection.
  if (takesInput(conn) && stoppedAt < end) {
    parkFirst(conn, memory, stoppedAt, end)
  }
  return end
}

/**
 * Hands a message to `message`.
 *
 * @returns whether the connection takes another one
 */
export function deliverMessage(conn: ConnImpl, message: unknown): boolean {
  // `decode` may have closed or destroyed the connection.
  if (!takesInput(conn)) return false
  const result = conn.profile.handlers.message?.(conn, message)
  if (isThenable(result)) trackPromise(conn, result)
  return takesMessages(conn)
}
