/** What a connection does with output. */

import { MillraceError } from '../errors.js'
import { bytesRelayed, bytesSent } from '../native/binding.js'
import { connPiped, connSendsFile } from '../native/close-error.js'
import { KIND_ASK, KIND_FLUSH, KIND_PUSH, KIND_WRITE } from '../native/record.js'
import type { ConnImpl } from './conn-impl.js'
import {
  CLOSED,
  CLOSING,
  DESTROYED,
  DRAIN_ASKED,
  DRAIN_OWED,
  DRAIN_RUNS,
  FULL,
  MESSAGE_OUT,
  OUTPUT_OVER,
  SENDING_FILE,
  TAKEN,
} from './flags.js'
import { callConnHandler } from './handler-failure.js'
import { release } from './pausing.js'
import { sendControl } from './send-control.js'

/** Counts of sent bytes cross as their low 32 bits. */
const WRAP = 2 ** 32

/** See `Conn.write`. */
export function write(conn: ConnImpl, message: unknown): boolean {
  if (!conn.isWritable) return refuse(conn)
  const { eventLoop, profile } = conn
  const follows = followsInput(conn)
  const kind = follows ? KIND_WRITE : KIND_PUSH
  const length = eventLoop.outbound.write(kind, conn, conn.currentCodec, profile.framing, message)
  // In a statement of its own, because `encode` may write to this connection too.
  conn.written += length
  eventLoop.wrote()
  if (conn.written - conn.sent <= profile.highWaterMark && !(conn.flags & DRAIN_ASKED)) return true
  return isUnderMark(conn, profile.maxWriteBuffer, follows)
}

/**
 * Tells whether what is written follows from the connection's own input, as far as one can tell: its input is being
 * delivered, or nobody's is and a promise of its handlers has not settled, or a message was pulled and the next one was
 * not asked for. `autoPause` looks at no other output, since those who write it, a chat or a relay, may wait for what
 * this connection receives.
 */
function followsInput(conn: ConnImpl): boolean {
  // What `drain` writes waits for room already, and would go over the mark again before any input has its turn.
  if (conn.flags & DRAIN_RUNS) return false
  const { current } = conn.eventLoop.environment.delivery
  if (current !== undefined) return current === conn
  return conn.pendingPromises > 0 || (conn.flags & MESSAGE_OUT) !== 0
}

/** Refuses a message: if the connection is open, its output is somebody else's. */
function refuse(conn: ConnImpl): false {
  if (conn.flags & (OUTPUT_OVER | CLOSING)) return false
  throw conn.flags & TAKEN ? connPiped() : connSendsFile()
}

/** Writes bytes that are encoded already. Returns what `write` would. */
export function writeEncoded(conn: ConnImpl, bytes: Buffer): boolean {
  if (!conn.isWritable) return false
  const follows = followsInput(conn)
  writeBytes(conn, bytes, follows ? KIND_WRITE : KIND_PUSH)
  return isUnderMark(conn, conn.profile.maxWriteBuffer, follows)
}

/** Writes a piece of a file. Returns whether the next one may follow; if not, `drained()` tells when. */
export function writePiece(conn: ConnImpl, bytes: Buffer): boolean {
  writeBytes(conn, bytes)
  // The next piece waits until there is room, so there is no need for a limit.
  return isUnderMark(conn, Number.POSITIVE_INFINITY, false)
}

/** A file was sent: tells the handler `drain` now what it was not told meanwhile. */
export function drainedAfterFile(conn: ConnImpl): void {
  if (!(conn.flags & DRAIN_OWED)) return
  conn.flags &= ~DRAIN_OWED
  // If it is asked still, it follows.
  if (conn.flags & DRAIN_ASKED) return
  callDrain(conn)
}

function callDrain(conn: ConnImpl): void {
  conn.flags |= DRAIN_RUNS
  callConnHandler(conn, () => conn.profile.handlers.drain?.(conn))
  conn.flags &= ~DRAIN_RUNS
}

/**
 * Writes bytes that a piped connection has received.
 *
 * @returns whether it may go on. If not, `drain` follows. Bytes for a connection that has ended are dropped
 */
export function writeRelayed(conn: ConnImpl, bytes: Buffer): boolean {
  if (conn.flags & OUTPUT_OVER) return true
  writeBytes(conn, bytes)
  conn.coldState().relayed += bytes.length
  // The other connection is not read while too much waits, so there is no need for a limit.
  return isUnderMark(conn, Number.POSITIVE_INFINITY, false)
}

/**
 * Writes bytes of a connection that is used as a stream.
 *
 * @returns whether it may go on. If not, `drained` or `closed` of its taker follows
 */
export function writeStreamed(conn: ConnImpl, bytes: Buffer): boolean {
  if (conn.flags & OUTPUT_OVER) return false
  writeBytes(conn, bytes)
  const isLow = conn.written - conn.sent <= conn.profile.highWaterMark
  if (isLow && !(conn.flags & DRAIN_ASKED)) return true
  // A stream waits for `drained`, so there is no need for a limit.
  return isUnderMark(conn, Number.POSITIVE_INFINITY, false)
}

function writeBytes(conn: ConnImpl, bytes: Buffer, kind = KIND_PUSH): void {
  conn.eventLoop.outbound.bytes(kind, conn, bytes)
  conn.written += bytes.length
  conn.eventLoop.wrote()
}

/**
 * Tells whether output is under the high-water mark, by what the kernel has really taken. If it is not,
 * asks the loop to tell when it has drained. Over `maxWriteBuffer` destroys the connection.
 *
 * @param follows whether what was written follows from the connection's own input
 */
function isUnderMark(conn: ConnImpl, maxWriteBuffer: number, follows: boolean): boolean {
  // If the loop has closed the connection, `close` follows, but not before a handler that writes has ended.
  const isOpen = updateSent(conn)
  const waiting = conn.written - conn.sent
  const { highWaterMark, autoPause } = conn.profile
  if (waiting > maxWriteBuffer) {
    // The loop tells why it closed the connection, which came first.
    conn.destroy(isOpen ? writeBufferFull(waiting, maxWriteBuffer) : undefined)
    return false
  }
  const isOver = waiting > highWaterMark
  // What has crossed already must not be answered either, until there is room.
  if (isOver && autoPause && follows) {
    conn.flags |= FULL
    conn.coldState().repliedUntil = conn.written
  }
  if (conn.flags & DRAIN_ASKED) return false
  if (!isOver) return true
  conn.flags |= DRAIN_ASKED
  sendControl(conn, KIND_ASK)
  return false
}

function writeBufferFull(waiting: number, maxWriteBuffer: number): MillraceError {
  return new MillraceError(
    'ERR_WRITE_BUFFER_FULL',
    `${waiting} bytes wait to be sent, over maxWriteBuffer (${maxWriteBuffer})`,
  )
}

/**
 * Reads from the loop's table how much the kernel has taken.
 *
 * @returns false if the loop has closed the connection: how much it sent comes with its last record
 */
function updateSent(conn: ConnImpl): boolean {
  if (conn.written === conn.sent) return true
  const { environment, index } = conn.eventLoop
  const low = bytesSent(environment.handle, index, conn.slot, conn.generation)
  if (low === -1) return false
  conn.sent += (low - (conn.sent % WRAP) + WRAP) % WRAP
  return true
}

/** See `Conn.buffered`. */
export function buffered(conn: ConnImpl): number {
  if (conn.flags & (CLOSED | DESTROYED)) return 0
  // The loop may have closed the connection. Until `close` says so, who fills it up to a mark must find an end.
  updateSent(conn)
  return conn.written - conn.sent + (conn.flags & TAKEN ? relayed(conn) : 0)
}

/** Returns how many bytes of the other side of its pipe wait in the loop. */
function relayed(conn: ConnImpl): number {
  const { environment, index } = conn.eventLoop
  return Math.max(0, bytesRelayed(environment.handle, index, conn.slot, conn.generation))
}

/** See `Conn.flushed`. */
export function flushed(conn: ConnImpl): Promise<void> {
  if (conn.flags & (DESTROYED | CLOSED)) return rejectClosed(conn)
  if (buffered(conn) === 0) return Promise.resolve()
  const cold = conn.coldState()
  if (cold.flushed.isAwaited) return cold.flushedNext.promise()
  sendControl(conn, KIND_FLUSH)
  return cold.flushed.promise()
}

/** See `Conn.drained`. */
export function drained(conn: ConnImpl): Promise<void> {
  return conn.flags & CLOSING ? rejectClosed(conn) : roomForMore(conn)
}

/** The same while a file is sent, which goes on when the user has called `close`. */
export function roomForMore(conn: ConnImpl): Promise<void> {
  if (conn.flags & OUTPUT_OVER) return rejectClosed(conn)
  return conn.flags & DRAIN_ASKED ? conn.coldState().drained.promise() : Promise.resolve()
}

function rejectClosed(conn: ConnImpl): Promise<void> {
  const promise = Promise.reject(conn.coldState().endError())
  promise.catch(() => {})
  return promise
}

/** The loop answers `ASK`: what waits has fallen to half of the mark, or all that was written before has gone out. */
export function drainedByLoop(conn: ConnImpl): void {
  if (!(conn.flags & DRAIN_ASKED) || conn.flags & (DESTROYED | CLOSED)) return
  updateSent(conn)
  // Others may keep the queue full for as long as they like: what they write holds no input back.
  const isAnswered = conn.sent >= (conn.cold?.repliedUntil ?? 0)
  // The answer does not cover what was written after the question.
  const isOver = conn.written - conn.sent > conn.profile.highWaterMark
  if (conn.flags & FULL && (isAnswered || !isOver)) release(conn, FULL)
  if (isOver) {
    sendControl(conn, KIND_ASK)
    return
  }
  conn.flags &= ~DRAIN_ASKED
  conn.cold?.drained.resolve()
  // Whoever was told `false` before the file is told after it.
  if (conn.flags & SENDING_FILE) return
  if (conn.flags & TAKEN) conn.cold?.taker?.drained(conn)
  else callDrain(conn)
}

/** The loop answers `FLUSH`: the kernel has taken what was written before. */
export function flushedByLoop(conn: ConnImpl): void {
  const { cold } = conn
  if (cold === undefined) return
  cold.flushed.resolve()
  if (cold.flushedNext.isAwaited && !(conn.flags & (DESTROYED | CLOSED))) {
    const { flushed } = cold
    cold.flushed = cold.flushedNext
    cold.flushedNext = flushed
    sendControl(conn, KIND_FLUSH)
  }
}
