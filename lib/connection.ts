/** The one implementation of `Conn`: delivers what its loop received, writes what its user sends. */

import { formatEndpoint, readEndpoint } from './address.js'
import { type Codec, SWALLOWED } from './codec.js'
import type { Conn, ReadyState } from './conn.js'
import { invalidOption, MillraceError, toError } from './errors.js'
import type { Framing } from './framing.js'
import { closeError } from './close-error.js'
import type { Listener } from './listener.js'
import type { Loop } from './loop.js'
import { bytesReceived, bytesSent } from './native.js'
import { deferred, Extras, Parked, Rest } from './pulls.js'
import { type FrameReader, readerOver } from './reader.js'
import {
  CLOSE_RECEIVED,
  KIND_ASK,
  KIND_DESTROY,
  KIND_END,
  KIND_FLUSH,
  KIND_PAUSE,
  KIND_RESUME,
  OPEN_LOCAL,
  OPEN_REMOTE,
  REASON_DRAINING,
  REASON_NONE,
} from './record.js'

/** Nothing more can be written. */
const ENDED = 1
/** `destroy` was called: its records are dropped up to its end. */
const DESTROYED = 2
/** The last word was heard. */
const CLOSED = 4
/** The user paused it. */
const PAUSED = 8
/** The loop was told to stop reading. */
const HELD = 16
/** Nothing more comes in. */
const EOF = 32
/** `write` said `false`, and the loop was asked to say when there is room. */
const ASKED = 64
/** It does not keep the process alive. */
const UNREFED = 128
/** Messages are pulled, not handed to `message`. */
const PULLED = 256
/** The input ended because the server is closing. */
const DRAINING = 512
/** It ends for a throw of its user's code, which must not go unseen. */
const FAILED = 1024

type AnyListener = Listener

/** See {@link Conn}. What it does not name is for the loop and the server. */
export class Connection implements Conn<unknown, unknown, unknown> {
  readonly id: number
  readonly slot: number
  readonly generation: number
  readonly #loop: Loop
  readonly listener: AnyListener
  data: unknown = undefined
  #codec: Codec<unknown, unknown>
  #flags = 0
  readonly #ip: number | string
  readonly #port: number
  readonly #local: string
  #written = 0
  /** What the kernel is known to have taken. */
  #sent = 0
  /** Promises of handlers that have not settled. */
  #pending = 0
  #extras: Extras | undefined

  constructor(loop: Loop, slot: number, generation: number, listener: AnyListener, view: DataView, at: number) {
    this.#loop = loop
    this.slot = slot
    this.generation = generation
    this.listener = listener
    this.id = loop.environment.connId()
    const remote = readEndpoint(view, at + OPEN_REMOTE)
    this.#ip = remote.ip
    this.#port = remote.port
    this.#local = listener.localText(readEndpoint(view, at + OPEN_LOCAL))
    this.#codec = listener.codec as Codec<unknown, unknown>
    if (listener.handlers.message === undefined) this.#flags = PULLED
  }

  get loop(): number {
    return this.#loop.index
  }
  get remote(): string {
    return formatEndpoint(this.#ip, this.#port)
  }
  get local(): string {
    return this.#local
  }
  get codec(): Codec<unknown, unknown> {
    return this.#codec
  }
  set codec(codec: Codec<unknown, unknown>) {
    if (this.#framing.kind !== 'raw' || codec.framing.kind !== 'raw') {
      throw new MillraceError('ERR_INVALID_OPTION', 'only a codec with raw framing can be changed, and only for another one')
    }
    this.#codec = codec
  }
  get readyState(): ReadyState {
    if (this.#flags & (CLOSED | DESTROYED)) return 'closed'
    return this.#flags & ENDED ? 'ending' : 'open'
  }
  get bytesWritten(): number {
    return this.#written
  }
  get bytesRead(): number {
    if (this.#flags & CLOSED) return this.#extras?.bytesRead ?? 0
    const { environment, index } = this.#loop
    return Math.max(0, bytesReceived(environment.handle, index, this.slot, this.generation))
  }
  get buffered(): number {
    if (this.#flags & (CLOSED | DESTROYED)) return 0
    this.#count()
    return this.#written - this.#sent
  }

  get #framing(): Framing {
    return this.listener.framing
  }

  #more(): Extras {
    this.#extras ??= new Extras()
    return this.#extras
  }

  // ---- writing ----

  write(message: unknown): boolean {
    if (this.#flags & (ENDED | DESTROYED | CLOSED)) return false
    const loop = this.#loop
    this.#written += loop.outbound.write(this, this.#codec, this.listener.framing, message)
    loop.wrote()
    if (this.#written - this.#sent <= this.listener.highWaterMark && !(this.#flags & ASKED)) return true
    return this.#isUnderMark()
  }

  /** Sends bytes that are encoded already, for `broadcast`. */
  writeEncoded(bytes: Buffer): boolean {
    if (this.#flags & (ENDED | DESTROYED | CLOSED)) return false
    this.#loop.outbound.bytes(this, bytes)
    this.#written += bytes.length
    this.#loop.wrote()
    return this.#isUnderMark()
  }

  /** Looks at what the kernel has really taken before it says that there is too much. */
  #isUnderMark(): boolean {
    this.#count()
    const buffered = this.#written - this.#sent
    const { highWaterMark, maxWriteBuffer } = this.listener
    if (buffered > maxWriteBuffer) {
      this.destroy(new MillraceError('ERR_WRITE_BUFFER_FULL', `${buffered} bytes wait to be sent, over maxWriteBuffer (${maxWriteBuffer})`))
      return false
    }
    if (this.#flags & ASKED) return false
    if (buffered <= highWaterMark) return true
    this.#flags |= ASKED
    this.#control(KIND_ASK)
    return false
  }

  /** Brings the count of sent bytes up to date. */
  #count(): void {
    if (this.#written === this.#sent) return
    const { environment, index } = this.#loop
    const low = bytesSent(environment.handle, index, this.slot, this.generation)
    // Gone: its end is on the way, and nothing waits any more.
    if (low === -1) this.#sent = this.#written
    else this.#sent += (low - (this.#sent % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000
  }

  #control(kind: number): void {
    this.#loop.outbound.control(kind, this)
    this.#loop.wrote()
  }

  end(message?: unknown): void {
    if (this.#flags & (ENDED | DESTROYED | CLOSED)) return
    if (message !== undefined) {
      this.write(message)
      // Over maxWriteBuffer, it is destroyed.
      if (this.#flags & DESTROYED) return
    }
    this.#flags |= ENDED
    this.#control(KIND_END)
    if (!this.listener.allowHalfOpen) {
      this.#dropInput()
      this.#wakePull()
    }
  }

  destroy(error?: Error): void {
    if (this.#flags & (DESTROYED | CLOSED)) return
    this.#flags |= DESTROYED
    if (error !== undefined) this.#more().error = error
    this.#dropInput()
    this.#loop.outbound.control(KIND_DESTROY, this)
    this.#loop.wrote()
  }

  #dropInput(): void {
    const extras = this.#extras
    if (extras === undefined) return
    extras.parked = undefined
    extras.rest = undefined
    extras.frame = undefined
  }

  flushed(): Promise<void> {
    if (this.#flags & (DESTROYED | CLOSED)) return this.#gone()
    this.#count()
    if (this.#written === this.#sent) return Promise.resolve()
    const extras = this.#more()
    if (extras.flushed.isOn) return extras.flushedNext.promise()
    this.#control(KIND_FLUSH)
    return extras.flushed.promise()
  }

  drained(): Promise<void> {
    if (this.#flags & (DESTROYED | CLOSED)) return this.#gone()
    return this.#flags & ASKED ? this.#more().drained.promise() : Promise.resolve()
  }

  #gone(): Promise<void> {
    const promise = Promise.reject(
      this.#extras?.error ?? new MillraceError('ERR_CLOSED', 'the connection is closed'),
    )
    promise.catch(() => {})
    return promise
  }

  // ---- reading ----

  pause(): void {
    if (this.#flags & (PAUSED | DESTROYED | CLOSED)) return
    this.#flags |= PAUSED
    this.#hold()
  }

  resume(): void {
    if (!(this.#flags & PAUSED)) return
    this.#flags &= ~PAUSED
    if (this.#flags & (DESTROYED | CLOSED)) return
    this.#loop.environment.resume(this)
  }

  /** Tells the loop to stop reading. */
  #hold(): void {
    if (this.#flags & (HELD | EOF | DESTROYED | CLOSED)) return
    this.#flags |= HELD
    this.#control(KIND_PAUSE)
  }

  /** Tells the loop to go on reading. */
  #release(): void {
    if (!(this.#flags & HELD)) return
    this.#flags &= ~HELD
    if (!(this.#flags & (DESTROYED | CLOSED))) this.#control(KIND_RESUME)
  }

  /** After `resume`: delivers what is parked, then lets the loop read on. */
  goOn(): void {
    if (this.#flags & PULLED) return
    const parked = this.#extras?.parked
    while (parked !== undefined && !(this.#flags & (PAUSED | DESTROYED | CLOSED))) {
      const piece = parked.shift()
      if (piece === undefined) break
      const reader = readerOver(piece, true)
      this.#deliver(reader, piece, 0, piece.length)
    }
    if (this.#flags & PAUSED) return
    this.#release()
    this.#settleInput()
  }

  /** A record of bytes: one frame, or a chunk of a raw stream. */
  receive(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    const flags = this.#flags
    if (flags & (DESTROYED | CLOSED) || (flags & ENDED && !this.listener.allowHalfOpen)) return
    if (flags & (PAUSED | PULLED) || (this.#extras?.parked?.count ?? 0) > 0) {
      this.#park(Buffer.from(memory.subarray(at, end)))
      return
    }
    this.#deliver(reader, memory, at, end)
  }

  beginFrame(length: number): void {
    const extras = this.#more()
    extras.frame = Buffer.allocUnsafeSlow(length)
    extras.frameLength = 0
  }

  addToFrame(memory: Buffer, at: number, end: number): void {
    const extras = this.#more()
    const frame = extras.frame
    if (frame === undefined) return
    memory.copy(frame, extras.frameLength, at, end)
    extras.frameLength += end - at
    if (extras.frameLength < frame.length) return
    extras.frame = undefined
    // Nobody else has this memory: the message may keep views of it.
    this.receive(readerOver(frame, true), frame, 0, frame.length)
  }

  #park(piece: Buffer): void {
    const extras = this.#more()
    extras.parked ??= new Parked()
    extras.parked.push(piece)
    const { maxParked } = this.listener
    if (extras.parked.bytes >= maxParked.bytes || extras.parked.count >= maxParked.frames) this.#hold()
    this.#wakePull()
  }

  #deliver(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    try {
      if (this.#framing.kind === 'raw') this.#deliverRaw(reader, memory, at, end)
      else this.#deliverFrame(reader, at, end)
    } catch (thrown) {
      reader.close()
      this.#fail(thrown)
    }
  }

  /** The user's code threw. */
  #fail(thrown: unknown): void {
    const error = toError(thrown)
    if (!isPeersFault(error)) this.#flags |= FAILED
    this.destroy(error)
  }

  /** It ended for a throw of its user's code. */
  get isFailed(): boolean {
    return (this.#flags & FAILED) !== 0
  }

  #deliverFrame(reader: FrameReader, at: number, end: number): void {
    reader.open(at, end)
    const message = this.#codec.decode(reader)
    const left = reader.end - reader.pos
    reader.close()
    if (left !== 0) throw notConsumed(left)
    if (message === undefined) return
    this.#hand(message)
  }

  #deliverRaw(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    const rest = this.#extras?.rest
    if (rest !== undefined && rest.length > 0) {
      rest.append(memory, at, end)
      const used = this.#decodeRaw(readerOver(rest.memory, false), rest.memory, rest.start, rest.end)
      if (this.#extras?.rest === rest) rest.consume(used)
      this.#checkRest(rest)
      return
    }
    const used = this.#decodeRaw(reader, memory, at, end)
    if (used < end) {
      const extras = this.#more()
      extras.rest = new Rest()
      extras.rest.append(memory, used, end)
      this.#checkRest(extras.rest)
    } else if (rest !== undefined && this.#extras !== undefined) {
      this.#extras.rest = undefined
    }
  }

  #checkRest(rest: Rest): void {
    const framing = this.#framing
    const max = framing.kind === 'raw' ? framing.max : 0
    if (rest.length > max) {
      throw new MillraceError('ERR_FRAME_TOO_LARGE', `decode left ${rest.length} bytes unread, over max (${max})`)
    }
  }

  /** Makes messages of a raw stream until it says that one is not all there; where it stopped. */
  #decodeRaw(reader: FrameReader, memory: Buffer, at: number, end: number): number {
    while (at < end) {
      reader.open(at, end)
      const message = this.#codec.decode(reader)
      const next = reader.pos
      reader.close()
      if (message === undefined) return at
      if (next === at) throw new MillraceError('ERR_FRAME_INVALID', 'decode made a message of no bytes')
      at = next
      if (message === SWALLOWED) continue
      this.#hand(message)
      if (this.#flags & (PAUSED | DESTROYED | CLOSED | ENDED)) {
        if (this.#flags & (DESTROYED | CLOSED) || !(this.#flags & PAUSED)) {
          if (this.#flags & (DESTROYED | CLOSED) || !this.listener.allowHalfOpen) return end
        } else {
          if (at < end) this.#parkFirst(Buffer.from(memory.subarray(at, end)))
          return end
        }
      }
    }
    return at
  }

  /** What a handler's `pause` cut off comes before all that is parked. */
  #parkFirst(piece: Buffer): void {
    const extras = this.#more()
    extras.parked ??= new Parked()
    extras.parked.unshift(piece)
  }

  #hand(message: unknown): void {
    if (isThenable(message)) throw new MillraceError('ERR_DECODE_ASYNC', 'decode returned a promise; it has to be synchronous')
    const result = this.listener.handlers.message?.(this, message)
    if (isThenable(result)) this.#track(result)
  }

  /** A handler's promise: its rejection destroys, and the connection stays until it settles. */
  #track(promise: PromiseLike<unknown>): void {
    this.#pending++
    promise.then(
      () => this.#settled(),
      (reason: unknown) => {
        this.#fail(reason)
        this.#settled()
      },
    )
  }

  #settled(): void {
    this.#pending--
    if (this.#flags & EOF) this.#settleInput()
  }

  /** The loop will send no more of its input. */
  inputEnded(reason: number): void {
    if (this.#flags & (DESTROYED | CLOSED)) return
    this.#flags |= EOF
    if (reason === REASON_DRAINING) this.#flags |= DRAINING
    else if (reason !== REASON_NONE) this.#more().error ??= closeError(reason, 0)
    this.#wakePull()
    this.#settleInput()
  }

  /** With all input delivered and all promises settled, a connection whose peer ended ends too. */
  #settleInput(): void {
    const flags = this.#flags
    if (!(flags & EOF) || flags & (ENDED | DESTROYED | CLOSED | PAUSED)) return
    const extras = this.#extras
    if (this.#pending > 0 || (extras?.parked?.count ?? 0) > 0) return
    if (extras?.rest !== undefined && extras.rest.length > 0 && !(flags & DRAINING)) {
      // The stream was cut in the middle of a message: what was answered still goes out.
      extras.error ??= new MillraceError('ERR_FRAME_INCOMPLETE', 'the stream ended in the middle of a message')
      extras.rest = undefined
    }
    if (this.listener.allowHalfOpen && !(flags & DRAINING) && extras?.error === undefined) return
    this.end()
  }

  // ---- pulling ----

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (!(this.#flags & PULLED)) {
      throw new TypeError('a connection with a message handler cannot be iterated')
    }
    return {
      next: () => this.#next(),
      return: async () => ({ done: true, value: undefined }),
    }
  }

  async #next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      const message = this.#pullOne()
      if (message !== undefined) return { done: false, value: message }
      const error = this.#extras?.error
      if (this.#flags & (CLOSED | DESTROYED) && error !== undefined) throw error
      if (this.#flags & (EOF | CLOSED | DESTROYED | ENDED)) {
        if (error !== undefined) throw error
        return { done: true, value: undefined }
      }
      this.#release()
      const extras = this.#more()
      extras.pull ??= deferred<void>()
      await extras.pull.promise
    }
  }

  /** The next message of what is parked, if it is all there. */
  #pullOne(): unknown {
    const extras = this.#extras
    const parked = extras?.parked
    if (extras === undefined || parked === undefined) return undefined
    try {
      for (let piece = parked.shift(); piece !== undefined; piece = parked.shift()) {
        const message =
          this.#framing.kind === 'raw' ? this.#pullRaw(extras, parked, piece) : this.#pullFrame(piece)
        if (message !== undefined && message !== SWALLOWED) return message
      }
    } catch (thrown) {
      this.#fail(thrown)
    } finally {
      const { maxParked } = this.listener
      if (parked.bytes < maxParked.bytes / 2 && parked.count < maxParked.frames / 2) this.#release()
      this.#settleInput()
    }
    return undefined
  }

  #pullFrame(piece: Buffer): unknown {
    const reader = readerOver(piece, true)
    reader.open(0, piece.length)
    const message = this.#codec.decode(reader)
    const left = reader.end - reader.pos
    reader.close()
    if (left !== 0) throw notConsumed(left)
    return message
  }

  #pullRaw(extras: Extras, parked: Parked, piece: Buffer): unknown {
    let whole = piece
    if (extras.rest !== undefined) {
      extras.rest.append(piece, 0, piece.length)
      whole = Buffer.from(extras.rest.memory.subarray(extras.rest.start, extras.rest.end))
      extras.rest = undefined
    }
    const reader = readerOver(whole, true)
    reader.open(0, whole.length)
    const message = this.#codec.decode(reader)
    const at = reader.pos
    reader.close()
    if (message === undefined) {
      extras.rest = new Rest()
      extras.rest.append(whole, 0, whole.length)
      this.#checkRest(extras.rest)
      return undefined
    }
    if (at === 0) throw new MillraceError('ERR_FRAME_INVALID', 'decode made a message of no bytes')
    if (at < whole.length) parked.unshift(whole.subarray(at))
    return message
  }

  #wakePull(): void {
    const extras = this.#extras
    if (extras?.pull === undefined) return
    extras.pull.resolve()
    extras.pull = undefined
  }

  // ---- life ----

  /** The loop has it, and so have we. */
  opened(): void {
    const { listener } = this
    this.#loop.environment.hold(1)
    listener.server.add(this)
    try {
      if (listener.codecOf !== undefined) this.#codec = listener.codecFor(this)
      const { data } = listener.handlers
      if (data !== undefined) {
        const made: unknown = data(this)
        if (isThenable(made)) {
          // Its outcome is of no interest any more.
          made.then(undefined, () => {})
          throw new MillraceError('ERR_DATA_ASYNC', 'data returned a promise; it has to be synchronous')
        }
        this.data = made
      }
      const result = listener.handlers.open?.(this)
      if (isThenable(result)) this.#track(result)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  drainedByLoop(): void {
    if (!(this.#flags & ASKED) || this.#flags & (DESTROYED | CLOSED)) return
    this.#flags &= ~ASKED
    this.#count()
    this.#extras?.drained.resolve()
    this.#call(() => this.listener.handlers.drain?.(this))
  }

  flushedByLoop(): void {
    const extras = this.#extras
    if (extras === undefined) return
    extras.flushed.resolve()
    if (extras.flushedNext.isOn && !(this.#flags & (DESTROYED | CLOSED))) {
      const { flushed } = extras
      extras.flushed = extras.flushedNext
      extras.flushedNext = flushed
      this.#control(KIND_FLUSH)
    }
  }

  #call(handler: () => unknown): void {
    try {
      const result = handler()
      if (isThenable(result)) this.#track(result)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  /** The last record: payload `close` of the record table. */
  closedByLoop(view: DataView, at: number): void {
    const reason = view.getUint32(at, true)
    const errno = view.getInt32(at + 4, true)
    const received = Number(view.getBigUint64(at + CLOSE_RECEIVED, true))
    const own = this.#extras?.error
    this.#closed(own ?? closeError(reason, errno), received)
  }

  /** Its loop panicked. */
  lost(): void {
    this.#closed(new MillraceError('ERR_LOOP_PANIC', 'the event loop of the connection was lost'), 0)
  }

  #closed(error: Error | undefined, received: number): void {
    if (this.#flags & CLOSED) return
    this.#flags |= CLOSED | ENDED
    const extras = this.#more()
    extras.bytesRead = received
    if (error !== undefined) extras.error = error
    const ended = error ?? new MillraceError('ERR_CLOSED', 'the connection is closed')
    extras.drained.reject(ended)
    extras.flushed.reject(ended)
    extras.flushedNext.reject(ended)
    this.#wakePull()
    if (!(this.#flags & UNREFED)) this.#loop.environment.hold(-1)
    this.listener.server.closed(this, error)
    extras.closed.resolve()
  }

  ref(): this {
    if (this.#flags & UNREFED) {
      this.#flags &= ~UNREFED
      if (!(this.#flags & CLOSED)) this.#loop.environment.hold(1)
    }
    return this
  }

  unref(): this {
    if (!(this.#flags & UNREFED)) {
      this.#flags |= UNREFED
      if (!(this.#flags & CLOSED)) this.#loop.environment.hold(-1)
    }
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#flags & CLOSED) return
    const closed = this.#more().closed.promise()
    this.end()
    await closed
  }
}

/** What a peer can bring about: no bug of the user's, and not worth a warning. */
function isPeersFault(error: Error): boolean {
  if (!(error instanceof MillraceError)) return false
  const { code } = error
  return code === 'ERR_FRAME_INVALID' || code === 'ERR_FRAME_TOO_LARGE'
}

function notConsumed(left: number): MillraceError {
  return new MillraceError('ERR_FRAME_NOT_CONSUMED', `decode left ${left} bytes of a frame unread`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}

/** For options that name what may be assigned. */
export function checkCodec(codec: unknown): Codec<unknown, unknown> {
  const { framing, decode, encode } = (codec ?? {}) as Partial<Codec<unknown, unknown>>
  if (typeof framing !== 'object' || typeof decode !== 'function' || typeof encode !== 'function') {
    throw invalidOption('codec', 'a codec with framing, decode and encode', codec)
  }
  return codec as Codec<unknown, unknown>
}
