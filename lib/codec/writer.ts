/** Writes a message, straight into a ring where there is room. */

// Imported: the global is a getter, and slower.
import { Buffer } from 'node:buffer'
import { MillraceError } from '../errors.js'
import type { FrameReader, Reader } from './reader.js'

/** The first size of a scratch buffer, and the largest that is kept for the next message. */
const SCRATCH = 64 * 1024
/** Below it a loop over bytes beats a call. */
const SHORT = 24

/**
 * Writes numbers, text and bytes. Every method returns the writer, so that calls can be chained.
 *
 * Numbers are big-endian; those ending in `le` are little-endian. A number out of range is cut to
 * its low bits, as typed arrays do.
 *
 * What is no number, no bigint, no text or no bytes is refused with a `TypeError`, and none of it is
 * sent.
 *
 * Valid only inside the `encode` it was given to: after that every method throws `ERR_WRITER_STALE`.
 */
export interface Writer {
  /** Bytes written so far by this `encode`. */
  readonly length: number
  u8(value: number): this
  i8(value: number): this
  u16(value: number): this
  u16le(value: number): this
  i16(value: number): this
  i16le(value: number): this
  u32(value: number): this
  u32le(value: number): this
  i32(value: number): this
  i32le(value: number): this
  u64(value: bigint): this
  u64le(value: bigint): this
  i64(value: bigint): this
  i64le(value: bigint): this
  f32(value: number): this
  f32le(value: number): this
  f64(value: number): this
  f64le(value: number): this
  /** Copies bytes; the caller may change them afterwards. */
  bytes(bytes: Uint8Array): this
  /** Writes text. `encoding` is `utf8` by default; `latin1` is the fastest. */
  text(text: string, encoding?: BufferEncoding): this
  /** Copies the next `n` bytes of a reader, which passes over them. */
  copy(reader: Reader, n: number): this
}

/** The limit of a writer that may not be used: before every place. (A small integer, as the others are.) */
const CLOSED = -1

const EMPTY = Buffer.alloc(0)
const NOTHING = new DataView(EMPTY.buffer, 0, 0)

/** The one implementation. */
export class FrameWriter implements Writer {
  memory: Buffer = EMPTY
  #view: DataView = NOTHING
  /** Where the message starts. */
  start = 0
  /** Where the next byte goes. */
  pos = 0
  #limit = CLOSED
  /** Where `encode` started: behind a header that the framing writes. */
  body = 0
  /** In a ring; otherwise in the scratch buffer. */
  inPlace = false
  /** An `encode` is writing: a write inside it needs another writer. */
  isBusy = false
  #scratch: Buffer = EMPTY
  #scratchView: DataView = NOTHING

  /** Writes into a ring between two of its places. */
  place(memory: Buffer, view: DataView, start: number, limit: number): void {
    // Mostly it stands in that ring already.
    if (this.memory !== memory) {
      this.memory = memory
      this.#view = view
    }
    this.start = this.pos = this.body = start
    this.#limit = limit
    this.inPlace = true
  }

  /** Writes into the scratch buffer. */
  aside(): void {
    if (this.#scratch.length === 0) this.#grow(SCRATCH)
    this.memory = this.#scratch
    this.#view = this.#scratchView
    this.start = this.pos = this.body = 0
    this.#limit = this.#scratch.length
    this.inPlace = false
  }

  #grow(size: number): void {
    this.#scratch = Buffer.allocUnsafeSlow(size)
    this.#scratchView = new DataView(this.#scratch.buffer, 0, size)
  }

  /** The message is complete, or has failed: from here on every method throws. */
  close(): void {
    this.#limit = CLOSED
  }

  /** The message is out of the scratch buffer: an outsize one is not kept. */
  done(): void {
    if (!this.inPlace && this.#scratch.length > SCRATCH) {
      this.#scratch = EMPTY
      this.memory = EMPTY
    }
  }

  get length(): number {
    return this.pos - this.body
  }

  /** Where the next `n` bytes go. */
  #take(n: number): number {
    if (this.pos + n > this.#limit) this.#extend(n)
    const at = this.pos
    this.pos = at + n
    return at
  }

  /** There is no room for `n` more: goes on in a scratch buffer, or in a larger one. */
  #extend(n: number): void {
    if (this.#limit === CLOSED) {
      throw new MillraceError(
        'ERR_WRITER_STALE',
        'a Writer is valid only inside the encode it was given to',
      )
    }
    const { memory, start, pos, body } = this
    const used = pos - start
    if (this.inPlace ? used + n > this.#scratch.length : true) {
      this.#grow(Math.max(SCRATCH, 2 * (used + n)))
    }
    memory.copy(this.#scratch, 0, start, pos)
    this.aside()
    this.pos = used
    this.body = body - start
  }

  /** Room for `n` bytes at the front of the message, for the framing. */
  reserve(n: number): void {
    this.#take(n)
    this.body = this.pos
  }

  /** Sets bytes of a header reserved before: `width` of them, from the message's start. */
  patch(value: number, width: number, little: boolean): void {
    if (width === 4) {
      this.#view.setUint32(this.start, value, little)
      return
    }
    let rest = value
    for (let at = 0; at < width; at++) {
      this.memory[little ? this.start + at : this.start + width - 1 - at] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }

  /** Moves the body `n` bytes further, for a header that turned out wider than reserved. */
  shift(n: number): void {
    this.#take(n)
    this.memory.copyWithin(this.body + n, this.body, this.pos - n)
    this.body += n
  }

  u8(value: number): this {
    // First, here and below: what is no number throws before there is a gap with other messages' bytes.
    const number = +value
    // Taken next: it may go on in other memory.
    const at = this.#take(1)
    this.memory[at] = number
    return this
  }
  i8(value: number): this {
    return this.u8(value)
  }
  u16(value: number): this {
    const number = +value
    const at = this.#take(2)
    this.#view.setUint16(at, number)
    return this
  }
  u16le(value: number): this {
    const number = +value
    const at = this.#take(2)
    this.#view.setUint16(at, number, true)
    return this
  }
  i16(value: number): this {
    return this.u16(value)
  }
  i16le(value: number): this {
    return this.u16le(value)
  }
  u32(value: number): this {
    const number = +value
    const at = this.#take(4)
    this.#view.setUint32(at, number)
    return this
  }
  u32le(value: number): this {
    const number = +value
    const at = this.#take(4)
    this.#view.setUint32(at, number, true)
    return this
  }
  i32(value: number): this {
    return this.u32(value)
  }
  i32le(value: number): this {
    return this.u32le(value)
  }
  u64(value: bigint): this {
    if (typeof value !== 'bigint') throw notBigint(value)
    const at = this.#take(8)
    this.#view.setBigUint64(at, value)
    return this
  }
  u64le(value: bigint): this {
    if (typeof value !== 'bigint') throw notBigint(value)
    const at = this.#take(8)
    this.#view.setBigUint64(at, value, true)
    return this
  }
  i64(value: bigint): this {
    return this.u64(value)
  }
  i64le(value: bigint): this {
    return this.u64le(value)
  }
  f32(value: number): this {
    const number = +value
    const at = this.#take(4)
    this.#view.setFloat32(at, number)
    return this
  }
  f32le(value: number): this {
    const number = +value
    const at = this.#take(4)
    this.#view.setFloat32(at, number, true)
    return this
  }
  f64(value: number): this {
    const number = +value
    const at = this.#take(8)
    this.#view.setFloat64(at, number)
    return this
  }
  f64le(value: number): this {
    const number = +value
    const at = this.#take(8)
    this.#view.setFloat64(at, number, true)
    return this
  }

  bytes(bytes: Uint8Array): this {
    // Of anything else the length may be no number, and the place of the next byte neither.
    if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes have to be a Uint8Array')
    const n = bytes.length
    const at = this.#take(n)
    const memory = this.memory
    if (n <= SHORT) {
      for (let i = 0; i < n; i++) memory[at + i] = bytes[i] as number
    } else {
      memory.set(bytes, at)
    }
    return this
  }

  text(text: string, encoding: BufferEncoding = 'utf8'): this {
    if (typeof text !== 'string') throw new TypeError('text has to be a string')
    const length = text.length
    if (length <= SHORT && (encoding === 'utf8' || encoding === 'latin1')) {
      const at = this.#take(length)
      if (this.#short(text, at)) return this
      this.pos = at
    }
    const n = Buffer.byteLength(text, encoding)
    const at = this.#take(n)
    // Not taken if this throws, of an encoding that there is not.
    this.pos = at
    // It may become less, of what is no proper hex or base64: behind it is what others wrote here.
    this.pos = at + this.memory.write(text, at, n, encoding)
    return this
  }

  /** Writes plain ASCII without a call; false if it is not. */
  #short(text: string, at: number): boolean {
    const memory = this.memory
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      memory[at + i] = code
    }
    return true
  }

  copy(reader: Reader, n: number): this {
    const { memory, at } = (reader as FrameReader).lend(n)
    const to = this.#take(n)
    if (n <= SHORT) {
      const target = this.memory
      for (let i = 0; i < n; i++) target[to + i] = memory[at + i] as number
    } else {
      memory.copy(this.memory, to, at, at + n)
    }
    return this
  }
}

function notBigint(value: unknown): TypeError {
  return new TypeError(`expected a bigint, not ${typeof value}`)
}
