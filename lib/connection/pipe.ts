/** Joins two connections: what one receives is sent to the other, both ways. */

import { type CodedError, MillraceError, toError } from '../errors.js'
import { KIND_RELAY } from '../native/record.js'
import { type Deferred, deferred } from '../util/deferred.js'
import { queueMicrotask } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSED, CLOSING, DESTROYED, ENDING, EOF, INPUT_DONE, OUTPUT_OVER } from './flags.js'
import { type InputTaker, passOnReceived, takeInput } from './input-taker.js'
import { resumeReading, stopReading } from './pausing.js'
import { park } from './reading.js'
import { sendControl } from './send-control.js'
import { writeRelayed } from './writing.js'

/**
 * Options of `pipe`.
 *
 * @example
 * ```ts
 * async function relay(client: Conn, upstream: Conn, signal: AbortSignal) {
 *   const options: PipeOptions = { half: false, signal }
 *   return pipe(client, upstream, options)
 * }
 * ```
 */
export interface PipeOptions {
  /**
   * Whether the two directions end apart: the end of one side's input ends the output of the other, and the
   * rest goes on. `false` closes both once one of them ends, after everything delivered by then is sent. Default true.
   */
  half?: boolean | undefined
  /** Destroys both connections when it aborts. The promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/**
 * How a pipe has ended.
 *
 * @example
 * ```ts
 * const report = ({ forth, back, error }: PipeEnd) => console.log(forth, back, error?.code)
 * ```
 */
export interface PipeEnd {
  /** Bytes of the first connection that were passed on to the second. */
  readonly forth: number
  /** Bytes of the second connection that were passed on to the first. */
  readonly back: number
  /**
   * Why it ended, if not in good order: the error of the side that was lost first, or `ERR_PIPE_BROKEN` if it was
   * destroyed without one.
   */
  readonly error: CodedError | undefined
}

/** Makes the error that one side of a pipe gets if the other one is lost. */
export function pipeBroken(cause: Error | undefined): MillraceError {
  const why = 'the other side of the pipe was lost'
  return new MillraceError('ERR_PIPE_BROKEN', why, cause === undefined ? {} : { cause })
}

/** What one side of a pipe was lost with; undefined if it ended in good order, or has not ended. */
export function lossOf(conn: ConnImpl): Error | undefined {
  return conn.cold?.error ?? (conn.flags & DESTROYED ? pipeBroken(undefined) : undefined)
}

/** Two connections that are joined. Made by `pipe`, and called by the two connections. */
export class Pipe implements InputTaker {
  readonly ended: Deferred<PipeEnd> = deferred()
  readonly #first: Side
  readonly #second: Side
  readonly #half: boolean
  #error: Error | undefined
  /** The error that the other side gets if one is lost. */
  #broken: Error | undefined

  constructor(first: ConnImpl, second: ConnImpl, half: boolean) {
    this.#half = half
    this.#first = new Side(first, second)
    this.#second = new Side(second, first)
    takeInput(first, this, second)
    takeInput(second, this, first)
    // Not at once: a handler may be running in the middle of a chunk, whose rest is parked when it returns.
    queueMicrotask(() => {
      // Both before the end of either is looked at, which may close the other.
      this.#first.begin()
      this.#second.begin()
      this.#goOn(this.#first)
      this.#goOn(this.#second)
    })
  }

  #sideOf(conn: ConnImpl): Side {
    return conn === this.#first.from ? this.#first : this.#second
  }

  #goOn(side: Side): void {
    if (side.from.flags & EOF) this.inputEnded(side.from)
    else if (!side.isHeld) resumeReading(side.from)
  }

  /** Passes on what a connection has received. */
  receive(conn: ConnImpl, bytes: Buffer): void {
    this.#sideOf(conn).passOn(bytes)
  }

  /** The loop passes on all further input of a connection by itself. */
  takenOver(conn: ConnImpl): void {
    if (conn.flags & ENDING) return
    this.#sideOf(conn).handOver()
  }

  /** The output of a connection has drained: the other one is read again. */
  drained(conn: ConnImpl): void {
    this.#otherSide(conn).goOn()
  }

  /** The input of a connection has ended, and all of it was passed on. */
  inputEnded(conn: ConnImpl): void {
    const side = this.#sideOf(conn)
    if (!side.hasBegun || side.isOver) return
    side.isOver = true
    side.countRelayed()
    conn.flags |= INPUT_DONE
    const isLast = this.#otherSide(conn).isOver
    if (isLast || !this.#half) {
      this.#first.from.close()
      this.#second.from.close()
    } else {
      side.to.end()
    }
  }

  /** Our half of a connection has ended: what the other one receives is not passed on any more. */
  outputEnded(conn: ConnImpl): void {
    this.#otherSide(conn).countRelayed()
  }

  /** The user closes a connection, which then takes nothing more from the other one. */
  closing(conn: ConnImpl): void {
    // What arrives from now on is dropped.
    this.#sideOf(conn).countRelayed()
    this.#sideOf(conn).to.close()
  }

  /** A connection has closed. Called before its handler `close`. */
  closed(conn: ConnImpl, error: Error | undefined): void {
    const side = this.#sideOf(conn)
    const { to } = side
    side.countRelayed()
    const loss = error ?? lossOf(conn)
    if (loss !== this.#broken) this.#error ??= loss
    if (to.flags & CLOSED) {
      const [forth, back] = [this.#first.bytes, this.#second.bytes]
      this.ended.resolve({ forth, back, error: this.#error })
      return
    }
    // It closes in good order: what it has still to send is all that there was.
    if (to.flags & CLOSING) return
    if (loss === undefined) {
      to.close()
      return
    }
    // The promise and the other side are told the same if the user gave no error.
    this.#broken = error === undefined ? loss : pipeBroken(error)
    to.reset(this.#broken)
  }

  abort(reason: unknown): void {
    this.ended.reject(reason)
    const error = toError(reason)
    this.#first.from.destroy(error)
    this.#second.from.destroy(error)
  }

  #otherSide(conn: ConnImpl): Side {
    return conn === this.#first.from ? this.#second : this.#first
  }
}

/** One direction of a pipe. */
class Side {
  readonly from: ConnImpl
  readonly to: ConnImpl
  /** Bytes that were passed on. */
  bytes = 0
  /** What was received before the pipe has been passed on. */
  hasBegun = false
  /** The input has ended, and the other side was told. */
  isOver = false
  /** The other side has too much to send. */
  isHeld = false
  /** The bytes that the loop has passed on are in `bytes`. */
  isCounted = false
  /** Bytes received before the loop took over, if it did. */
  #deliveredBefore: number | undefined

  constructor(from: ConnImpl, to: ConnImpl) {
    this.from = from
    this.to = to
  }

  /** Passes on what was received and not delivered. */
  begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    passOnReceived(this.from, (bytes) => this.passOn(bytes))
  }

  passOn(bytes: Buffer): void {
    if (!this.hasBegun) {
      park(this.from, bytes, 0, bytes.length)
      return
    }
    if (!(this.to.flags & OUTPUT_OVER)) this.bytes += bytes.length
    if (writeRelayed(this.to, bytes) || this.isHeld) return
    this.isHeld = true
    stopReading(this.from)
  }

  goOn(): void {
    this.isHeld = false
    if (this.hasBegun) resumeReading(this.from)
  }

  /** The loop takes over: everything that it had read before is here. */
  handOver(): void {
    this.begin()
    this.#deliveredBefore = this.from.bytesRead
    // What was passed on before has to reach the loop before.
    sendControl(this.from, KIND_RELAY, undefined, this.to)
    // Whether the other side has too much to send is now the loop's business.
    this.isHeld = false
    resumeReading(this.from)
  }

  /** Counts what the loop has passed on so far. Called while the connection is open, and at its end. */
  countRelayed(): void {
    if (this.#deliveredBefore === undefined || this.isCounted) return
    this.isCounted = true
    // Nothing is known of a loop that was lost.
    this.bytes += Math.max(0, this.from.bytesRead - this.#deliveredBefore)
  }
}
