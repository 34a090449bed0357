/** The writing half of a connection. */

import type { Codec } from '../codec/codec.js'
import { MillraceError, toError } from '../errors.js'
import { bytesSent } from '../native/binding.js'
import { KIND_ASK, KIND_DESTROY, KIND_END, KIND_FLUSH } from '../native/record.js'
import type { Loop } from '../runtime/loop.js'
import { Extras } from './cold-state.js'
import { ASKED, CLOSED, DESTROYED, ENDED, FAILED } from './flags.js'
import type { Profile } from './profile.js'

/** Counts of sent bytes cross as their low 32 bits. */
const WRAP = 2 ** 32

/** What a connection is, and how it sends. */
export abstract class Writing {
  readonly slot: number
  readonly generation: number
  readonly profile: Profile
  protected readonly eventLoop: Loop
  protected currentCodec: Codec<unknown, unknown>
  protected flags = 0
  protected written = 0
  /** What the kernel is known to have taken. */
  protected sent = 0
  /** Promises of handlers that have not settled. */
  protected pending = 0
  protected extras: Extras | undefined

  constructor(loop: Loop, slot: number, generation: number, profile: Profile) {
    this.eventLoop = loop
    this.slot = slot
    this.generation = generation
    this.profile = profile
    this.currentCodec = profile.codec
  }

  /** Forgets what was received and not delivered. */
  protected abstract dropInput(): void
  /** A handler's promise has settled. */
  protected abstract settled(): void

  protected more(): Extras {
    this.extras ??= new Extras()
    return this.extras
  }

  get bytesWritten(): number {
    return this.written
  }

  get buffered(): number {
    if (this.flags & (CLOSED | DESTROYED)) return 0
    this.#count()
    return this.written - this.sent
  }

  write(message: unknown): boolean {
    if (this.flags & (ENDED | DESTROYED | CLOSED)) return false
    const loop = this.eventLoop
    const length = loop.outbound.write(this, this.currentCodec, this.profile.framing, message)
    // Not in one expression: `encode` may write to this connection too.
    this.written += length
    loop.wrote()
    if (this.written - this.sent <= this.profile.highWaterMark && !(this.flags & ASKED)) return true
    return this.#isUnderMark()
  }

  /** Sends bytes that are encoded already, for `broadcast`. */
  writeEncoded(bytes: Buffer): boolean {
    if (this.flags & (ENDED | DESTROYED | CLOSED)) return false
    this.eventLoop.outbound.bytes(this, bytes)
    this.written += bytes.length
    this.eventLoop.wrote()
    return this.#isUnderMark()
  }

  /** Looks at what the kernel has really taken before it says that there is too much. */
  #isUnderMark(): boolean {
    this.#count()
    const buffered = this.written - this.sent
    const { highWaterMark, maxWriteBuffer } = this.profile
    if (buffered > maxWriteBuffer) {
      this.destroy(
        new MillraceError(
          'ERR_WRITE_BUFFER_FULL',
          `${buffered} bytes wait to be sent, over maxWriteBuffer (${maxWriteBuffer})`,
        ),
      )
      return false
    }
    if (this.flags & ASKED) return false
    if (buffered <= highWaterMark) return true
    this.flags |= ASKED
    this.control(KIND_ASK)
    return false
  }

  /** Brings the count of sent bytes up to date. */
  #count(): void {
    if (this.written === this.sent) return
    const { environment, index } = this.eventLoop
    const low = bytesSent(environment.handle, index, this.slot, this.generation)
    // Gone: its end is on the way, and nothing waits any more.
    if (low === -1) this.sent = this.written
    else this.sent += (low - (this.sent % WRAP) + WRAP) % WRAP
  }

  protected control(kind: number): void {
    this.eventLoop.outbound.control(kind, this)
    this.eventLoop.wrote()
  }

  end(message?: unknown): void {
    if (this.flags & (ENDED | DESTROYED | CLOSED)) return
    if (message !== undefined) {
      this.write(message)
      // Over maxWriteBuffer, it is destroyed.
      if (this.flags & DESTROYED) return
    }
    this.flags |= ENDED
    this.control(KIND_END)
    if (!this.profile.allowHalfOpen) {
      this.dropInput()
    }
  }

  destroy(error?: Error): void {
    if (this.flags & (DESTROYED | CLOSED)) return
    this.flags |= DESTROYED
    if (error !== undefined) this.more().error = toError(error)
    this.dropInput()
    this.eventLoop.outbound.control(KIND_DESTROY, this)
    this.eventLoop.wrote()
  }

  flushed(): Promise<void> {
    if (this.flags & (DESTROYED | CLOSED)) return this.#gone()
    this.#count()
    if (this.written === this.sent) return Promise.resolve()
    const extras = this.more()
    if (extras.flushed.isOn) return extras.flushedNext.promise()
    this.control(KIND_FLUSH)
    return extras.flushed.promise()
  }

  drained(): Promise<void> {
    if (this.flags & (DESTROYED | CLOSED)) return this.#gone()
    return this.flags & ASKED ? this.more().drained.promise() : Promise.resolve()
  }

  #gone(): Promise<void> {
    const promise = Promise.reject(
      this.extras?.error ?? new MillraceError('ERR_CLOSED', 'the connection is closed'),
    )
    promise.catch(() => {})
    return promise
  }

  drainedByLoop(): void {
    if (!(this.flags & ASKED) || this.flags & (DESTROYED | CLOSED)) return
    this.#count()
    // What was written after the question is not in the answer.
    if (this.written - this.sent > this.profile.highWaterMark / 2) {
      this.control(KIND_ASK)
      return
    }
    this.flags &= ~ASKED
    this.extras?.drained.resolve()
    this.call(() => this.profile.handlers.drain?.(this as never))
  }

  flushedByLoop(): void {
    const extras = this.extras
    if (extras === undefined) return
    extras.flushed.resolve()
    if (extras.flushedNext.isOn && !(this.flags & (DESTROYED | CLOSED))) {
      const { flushed } = extras
      extras.flushed = extras.flushedNext
      extras.flushedNext = flushed
      this.control(KIND_FLUSH)
    }
  }

  /** Calls a handler whose failure is the connection's. */
  protected call(handler: () => unknown): void {
    try {
      const result = handler()
      if (isThenable(result)) this.track(result)
    } catch (thrown) {
      this.fail(thrown)
    }
  }

  /** A handler's promise: its rejection destroys, and the connection stays until it settles. */
  protected track(promise: PromiseLike<unknown>): void {
    this.pending++
    // One of another make may call back twice, or throw.
    Promise.resolve(promise).then(
      () => this.settled(),
      (reason: unknown) => {
        this.fail(reason)
        this.settled()
      },
    )
  }

  /** The user's code threw. */
  protected fail(thrown: unknown): Error {
    const error = toError(thrown)
    if (!isPeersFault(error)) this.flags |= FAILED
    this.destroy(error)
    return error
  }
}

/** What a peer can bring about: no bug of the user's, and not worth a warning. */
function isPeersFault(error: Error): boolean {
  if (!(error instanceof MillraceError)) return false
  const { code } = error
  return code === 'ERR_FRAME_INVALID' || code === 'ERR_FRAME_TOO_LARGE'
}

/** Whether a handler returned a promise, or anything like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    // Messages that are bytes: to miss a property of theirs takes longer than this.
    !ArrayBuffer.isView(value) &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
