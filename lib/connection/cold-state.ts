/** The part of a connection's state that most connections never need. */

import { connClosed } from '../native/close-error.js'
import { tellsEnd } from '../util/blame.js'
import { type Deferred, SharedWait } from '../util/deferred.js'
import type { GrowingBuffer } from '../util/growing-buffer.js'
import { clearTimeout } from '../util/timers.js'
import type { LatePromise } from './handler-watch.js'
import type { InputTaker } from './input-taker.js'
import type { ParkedInput } from './parked-input.js'
import type { TimeoutSettings } from './timeouts.js'

/** Allocated at its first use, so that an idle connection stays small. */
export class ColdState {
  /** Input that was received and not delivered. */
  parked: ParkedInput | undefined
  /** How many messages may be parked, if the connection has changed its framing lately. */
  fewParked: number | undefined
  /** Bytes of a raw stream that are not a complete message yet. */
  unread: GrowingBuffer | undefined
  /** Whether `unread` holds bytes that `decode` has not seen. */
  isUnreadFresh = false
  /** How many of the next bytes of a raw stream are dropped, whoever takes over. `unread` is empty meanwhile. */
  discards = 0
  /** A large frame that arrives in parts, and how many of its bytes have arrived. */
  frame: Buffer | undefined
  frameLength = 0
  readonly drained: SharedWait = new SharedWait()
  /** The wait that the loop was asked about. */
  flushed: SharedWait = new SharedWait()
  /** The wait of those who called `flushed()` since then. */
  flushedNext: SharedWait = new SharedWait()
  readonly closed: SharedWait = new SharedWait()
  /** Wakes a `next()` that waits for a message. */
  pull: Deferred<void> | undefined
  /** What `decode` threw for a pull after the connection had closed. */
  pullError: Error | undefined
  /** Looks whether somebody still pulls, after our half has ended. */
  pullTimer: NodeJS.Timeout | undefined
  /** When somebody last asked for a message, in the time of `performance.now()`; set only after `end`. */
  lastPull = 0
  /** Since when a `next()` waits, in the same time. */
  pullSince = 0
  /** How many bytes had been written with the last reply that went over the high-water mark. */
  repliedUntil = 0
  /** Bytes of the other side of a pipe that are among those written. */
  relayed = 0
  /** Stops `pipeFrom` and `sendFile`, which write in several steps. */
  outputStops: Set<() => void> | undefined
  /** What the user has called while a file was sent, and what is done after it. */
  afterFile: 'end' | 'close' | undefined
  /** Who gets the input in place of the handlers. */
  taker: InputTaker | undefined
  /** The limits in time, once they were changed. */
  limits: TimeoutSettings | undefined
  /** When the time of the promises began that had not settled at the end of the input, as `performance.now()`. */
  inputDoneAt = 0
  /** Promises of handlers that came after it. */
  latePromises: Set<LatePromise> | undefined
  /** Runs while a promise of a handler has a limit in time. */
  handlerTimer: NodeJS.Timeout | undefined
  /** The error that the connection ends with, if it is known already. */
  error: Error | undefined
  #closedError: Error | undefined

  stopTimers(): void {
    clearTimeout(this.pullTimer)
    clearTimeout(this.handlerTimer)
  }

  /** Whether there is input that was neither delivered nor looked at. */
  get hasParked(): boolean {
    return (this.parked?.count ?? 0) > 0 || this.hasFreshUnread
  }

  /** Whether there are bytes in `unread` that `decode` has not seen. */
  get hasFreshUnread(): boolean {
    return this.isUnreadFresh && (this.unread?.length ?? 0) > 0
  }

  /** Whether somebody waits for output, or writes in several steps. */
  get isAwaited(): boolean {
    return (
      this.drained.isAwaited ||
      this.flushed.isAwaited ||
      this.flushedNext.isAwaited ||
      (this.outputStops?.size ?? 0) > 0
    )
  }

  /** Returns the `ERR_CLOSED` of this connection, always the same one. */
  closedError(): Error {
    this.#closedError ??= tellsEnd(connClosed())
    return this.#closedError
  }

  /** Returns what a wait for output rejects with because the connection has ended. */
  endError(): Error {
    return this.error === undefined ? this.closedError() : tellsEnd(this.error)
  }

  /** Tells whether an error that the user's code threw only says that this connection is ending. */
  isEnd(error: Error): boolean {
    return error === this.error || error === this.pullError || error === this.#closedError
  }

  /** Counts down `discards` by the next `count` bytes. Returns how many of them are dropped. */
  drop(count: number): number {
    const dropped = Math.min(this.discards, count)
    this.discards -= dropped
    return dropped
  }

  /** Drops what is to be dropped of the parked input. What is still to be dropped then has not come yet. */
  dropParked(): void {
    const { parked } = this
    while (parked !== undefined && this.discards > 0 && parked.take()) {
      const at = parked.at + this.drop(parked.end - parked.at)
      if (at < parked.end) parked.unshift(parked.memory, at, parked.end)
    }
  }

  /** Whether a message of a raw stream has begun and is not complete. */
  get hasBegun(): boolean {
    return this.discards > 0 || (this.unread?.length ?? 0) > 0
  }

  /** Forgets what was received and not delivered. */
  dropInput(): void {
    this.frame = undefined
    this.parked = undefined
    this.unread = undefined
    this.wakePull()
  }

  /** Lets a `next()` that waits look again. */
  wakePull(): void {
    this.pull?.resolve()
    this.pull = undefined
  }

  /** Resolves every pending `flushed()`. */
  resolveFlushed(): void {
    this.flushed.resolve()
    this.flushedNext.resolve()
  }

  /** Tells those who write in several steps that the output is over. */
  stopWriting(): void {
    for (const stop of [...(this.outputStops ?? [])]) stop()
  }

  /** Rejects everybody who waits for output, and stops those who write in several steps. */
  rejectWaits(): void {
    this.stopWriting()
    const error = this.endError()
    this.drained.reject(error)
    this.flushed.reject(error)
    this.flushedNext.reject(error)
  }
}
