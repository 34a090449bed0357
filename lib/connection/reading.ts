/** The reading half of a connection: delivers messages in order, or keeps them until they are pulled. */

import { SWALLOWED } from '../codec/codec.js'
import { type FrameReader, readerOver } from '../codec/reader.js'
import { MillraceError } from '../errors.js'
import { KIND_PAUSE, KIND_RESUME, REASON_DRAINING, REASON_NONE } from '../native/record.js'
import { closeError } from './close-error.js'
import { deferred, Parked, Rest } from './cold-state.js'
import { CLOSED, DESTROYED, DRAINING, ENDED, EOF, HELD, PAUSED, PULLED, PULLING } from './flags.js'
import { isThenable, Writing } from './writing.js'

/** What a connection does with what comes in. */
export abstract class Reading extends Writing {
  pause(): void {
    if (this.flags & (PAUSED | DESTROYED | CLOSED)) return
    this.flags |= PAUSED
    this.#hold()
  }

  resume(): void {
    if (!(this.flags & PAUSED)) return
    this.flags &= ~PAUSED
    if (this.flags & (DESTROYED | CLOSED)) return
    this.eventLoop.environment.resume(this)
  }

  /** Its loop begins without reading, until the first message is pulled. */
  beginHeld(): void {
    this.flags |= HELD
  }

  /** Tells the loop to stop reading. */
  #hold(): void {
    if (this.flags & (HELD | EOF | DESTROYED | CLOSED)) return
    this.flags |= HELD
    this.control(KIND_PAUSE)
  }

  /** Tells the loop to go on reading. */
  #release(): void {
    if (!(this.flags & HELD)) return
    this.flags &= ~HELD
    if (!(this.flags & (DESTROYED | CLOSED))) this.control(KIND_RESUME)
  }

  /** After `resume`: delivers what is parked, then lets the loop read on. */
  goOn(): void {
    if (this.flags & PULLED) {
      // Whoever waits for a message lets the loop read on.
      this.wakePull()
      this.#settleInput()
      return
    }
    const parked = this.extras?.parked
    while (parked !== undefined && this.#takesMore) {
      const piece = parked.shift()
      if (piece === undefined) break
      const reader = readerOver(piece, true)
      this.#deliver(reader, piece, 0, piece.length)
    }
    if (this.flags & PAUSED) return
    this.#release()
    this.#settleInput()
  }

  /** A record of bytes: one frame, or a chunk of a raw stream. */
  receive(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    const flags = this.flags
    if (flags & (DESTROYED | CLOSED) || (flags & ENDED && !this.profile.allowHalfOpen)) return
    if (flags & (PAUSED | PULLED) || (this.extras?.parked?.count ?? 0) > 0) {
      this.#park(Buffer.from(memory.subarray(at, end)))
      return
    }
    this.#deliver(reader, memory, at, end)
  }

  beginFrame(length: number): void {
    const extras = this.more()
    extras.frame = Buffer.allocUnsafeSlow(length)
    extras.frameLength = 0
  }

  addToFrame(memory: Buffer, at: number, end: number): void {
    const extras = this.more()
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
    const extras = this.more()
    extras.parked ??= new Parked()
    extras.parked.push(piece)
    const { maxParked } = this.profile
    if (extras.parked.bytes >= maxParked.bytes || extras.parked.count >= maxParked.frames)
      this.#hold()
    this.wakePull()
  }

  #deliver(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    try {
      if (this.profile.framing.kind === 'raw') this.#deliverRaw(reader, memory, at, end)
      else this.#deliverFrame(reader, at, end)
    } catch (thrown) {
      reader.close()
      this.fail(thrown)
    }
  }

  #deliverFrame(reader: FrameReader, at: number, end: number): void {
    reader.open(at, end)
    const message = this.currentCodec.decode(reader)
    const left = reader.end - reader.pos
    reader.close()
    if (isThenable(message)) throw isAsync(message)
    if (left !== 0) throw notConsumed(left)
    if (message === undefined) return
    this.#hand(message)
  }

  #deliverRaw(reader: FrameReader, memory: Buffer, at: number, end: number): void {
    const rest = this.extras?.rest
    if (rest !== undefined && rest.length > 0) {
      rest.append(memory, at, end)
      const used = this.#decodeRaw(
        readerOver(rest.memory, false),
        rest.memory,
        rest.start,
        rest.end,
      )
      // A handler may have ended the connection, and with it dropped its input.
      if (this.extras?.rest !== rest) return
      rest.consume(used)
      this.#checkRest(rest)
      // It may have grown to the largest message: an idle connection does not keep it.
      if (rest.length === 0) this.extras.rest = undefined
      return
    }
    const used = this.#decodeRaw(reader, memory, at, end)
    if (used < end) {
      const extras = this.more()
      extras.rest = new Rest()
      extras.rest.append(memory, used, end)
      this.#checkRest(extras.rest)
    }
  }

  #checkRest(rest: Rest): void {
    // Of the codec that it has now, which may not be the first.
    const { framing } = this.currentCodec
    const max = framing.kind === 'raw' ? framing.max : 0
    if (rest.length > max) {
      throw new MillraceError(
        'ERR_FRAME_TOO_LARGE',
        `decode left ${rest.length} bytes unread, over max (${max})`,
      )
    }
  }

  /** Makes messages of a raw stream until it says that one is not all there; where it stopped. */
  #decodeRaw(reader: FrameReader, memory: Buffer, from: number, end: number): number {
    let at = from
    while (at < end) {
      reader.open(at, end)
      const message = this.currentCodec.decode(reader)
      const next = reader.pos
      reader.close()
      if (message === undefined) return at
      if (isThenable(message)) throw isAsync(message)
      if (next === at) throw emptyMessage()
      at = next
      if (message === SWALLOWED) continue
      this.#hand(message)
      if (this.flags & (PAUSED | ENDED | DESTROYED | CLOSED) && !this.#takesMore) {
        if (this.flags & PAUSED && at < end) this.#parkFirst(Buffer.from(memory.subarray(at, end)))
        return end
      }
    }
    return at
  }

  /** Whether a message may be delivered now. */
  get #takesMore(): boolean {
    if (this.flags & (PAUSED | DESTROYED | CLOSED)) return false
    return !(this.flags & ENDED) || this.profile.allowHalfOpen
  }

  /** What a handler's `pause` cut off comes before all that is parked. */
  #parkFirst(piece: Buffer): void {
    const extras = this.more()
    extras.parked ??= new Parked()
    extras.parked.unshift(piece)
  }

  #hand(message: unknown): void {
    const { flags } = this
    // `decode` may have ended or destroyed it.
    if (flags & (DESTROYED | CLOSED) || (flags & ENDED && !this.profile.allowHalfOpen)) return
    const result = this.profile.handlers.message?.(this as never, message)
    if (isThenable(result)) this.track(result)
  }

  protected settled(): void {
    this.pending--
    if (this.flags & EOF) this.#settleInput()
  }

  /** The loop will send no more of its input. */
  inputEnded(reason: number): void {
    if (this.flags & (DESTROYED | CLOSED)) return
    this.flags |= EOF
    if (reason === REASON_DRAINING) this.flags |= DRAINING
    else if (reason !== REASON_NONE) this.more().error ??= closeError(reason, 0)
    this.wakePull()
    this.#settleInput()
  }

  /** With all input delivered and all promises settled, a connection whose peer ended ends too. */
  #settleInput(): void {
    const flags = this.flags
    if (!(flags & EOF) || flags & (ENDED | DESTROYED | CLOSED | PAUSED)) return
    const extras = this.extras
    if (this.pending > 0 || flags & PULLING || (extras?.parked?.count ?? 0) > 0) return
    // Messages of a raw stream that nobody has pulled yet, maybe.
    if (flags & PULLED && extras?.rest?.isFresh && extras.rest.length > 0) return
    if (extras?.rest !== undefined && extras.rest.length > 0 && !(flags & DRAINING)) {
      // The stream was cut in the middle of a message: what was answered still goes out.
      extras.error ??= new MillraceError(
        'ERR_FRAME_INCOMPLETE',
        'the stream ended in the middle of a message',
      )
      extras.rest = undefined
    }
    if (this.profile.allowHalfOpen && !(flags & DRAINING) && extras?.error === undefined) return
    this.end()
  }

  protected dropInput(): void {
    const { extras } = this
    if (extras === undefined) return
    extras.frame = undefined
    extras.parked = undefined
    extras.rest = undefined
    this.wakePull()
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (!(this.flags & PULLED)) {
      throw new TypeError('a connection with a message handler cannot be iterated')
    }
    return {
      next: () => this.#next(),
      return: async () => {
        this.#stopPulling()
        return { done: true, value: undefined }
      },
    }
  }

  /** Nobody works on a message any more. */
  #stopPulling(): void {
    this.flags &= ~PULLING
    this.#settleInput()
  }

  async #next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      const message = this.#pullOne()
      if (message !== undefined) {
        this.flags |= PULLING
        return { done: false, value: message }
      }
      this.#stopPulling()
      if (this.flags & (EOF | ENDED | DESTROYED | CLOSED)) {
        const error = this.extras?.error
        if (error !== undefined) throw error
        return { done: true, value: undefined }
      }
      const extras = this.more()
      extras.pull ??= deferred<void>()
      await extras.pull.promise
    }
  }

  /** The next message of what was received, if it is all there. */
  #pullOne(): unknown {
    const parked = this.extras?.parked
    if (parked === undefined) {
      if (!(this.flags & PAUSED)) this.#release()
      return undefined
    }
    try {
      return this.profile.framing.kind === 'raw' ? this.#pullRaw(parked) : this.#pullFrame(parked)
    } catch (thrown) {
      this.fail(thrown)
      return undefined
    } finally {
      const { maxParked } = this.profile
      const isLow = parked.bytes < maxParked.bytes / 2 && parked.count < maxParked.frames / 2
      if (isLow && !(this.flags & PAUSED)) this.#release()
    }
  }

  #pullFrame(parked: Parked): unknown {
    for (let piece = parked.shift(); piece !== undefined; piece = parked.shift()) {
      const reader = readerOver(piece, true)
      reader.open(0, piece.length)
      const message = this.currentCodec.decode(reader)
      const left = reader.end - reader.pos
      reader.close()
      if (isThenable(message)) throw isAsync(message)
      if (left !== 0) throw notConsumed(left)
      if (message !== undefined) return message
    }
    return undefined
  }

  #pullRaw(parked: Parked): unknown {
    const extras = this.more()
    extras.rest ??= new Rest()
    const { rest } = extras
    for (;;) {
      while (rest.isFresh && rest.length > 0) {
        const reader = readerOver(rest.memory, false)
        reader.open(rest.start, rest.end)
        const message = this.currentCodec.decode(reader)
        const at = reader.pos
        reader.close()
        if (message === undefined) {
          rest.isFresh = false
          this.#checkRest(rest)
          break
        }
        if (isThenable(message)) throw isAsync(message)
        if (at === rest.start) throw emptyMessage()
        rest.consume(at)
        if (message !== SWALLOWED) return message
      }
      const piece = parked.shift()
      if (piece === undefined) return undefined
      rest.append(piece, 0, piece.length)
    }
  }

  protected wakePull(): void {
    const extras = this.extras
    if (extras?.pull === undefined) return
    extras.pull.resolve()
    extras.pull = undefined
  }
}

export function notConsumed(left: number): MillraceError {
  return new MillraceError('ERR_FRAME_NOT_CONSUMED', `decode left ${left} bytes of a frame unread`)
}

export function emptyMessage(): MillraceError {
  return new MillraceError('ERR_FRAME_INVALID', 'decode made a message of no bytes')
}

export function isAsync(message: PromiseLike<unknown>): MillraceError {
  // Its outcome is of no interest any more.
  message.then(undefined, () => {})
  return new MillraceError(
    'ERR_DECODE_ASYNC',
    'decode returned a promise; it has to be synchronous',
  )
}
