/** The implementation of `Writer`: writes a message, directly into a ring if there is room. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'
import { MillraceError } from '../errors.js'
import type { Reader } from './reader.js'
import { lend, type ReaderImpl } from './reader-impl.js'
import type { Writer } from './writer.js'
import { wrongInteger, wrongType } from './wrong-argument.js'

/** The first size of the scratch buffer in bytes. */
const SCRATCH_BYTES = 64 * 1024
/**
 * A larger buffer is not kept for the next message: what a message of 128 KiB needs is. While a ring is full, each
 * message needs the scratch buffer, and a new one for each was more garbage than what waited.
 */
const MOST_KEPT = 256 * 1024
/** Up to this many bytes, a loop is faster than a call. */
const SHORT = 24

/** The limit of a writer that may not be used: it is below every position. */
const CLOSED = -1

/** Reads how long a typed array is, whatever `length` a subclass has. */
const lengthOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'length',
)?.get as (this: Uint8Array) => number

const EMPTY = Buffer.alloc(0)
const NOTHING = new DataView(EMPTY.buffer, 0, 0)

// Not methods, because users have the writer, and must not reach the memory of a ring.

/** Returns the memory that a writer writes into. */
export let memoryOf: (writer: WriterImpl) => Buffer
/** Moves a writer to a ring. It writes between `start` and `limit` from now on. */
export let place: (
  writer: WriterImpl,
  memory: Buffer,
  view: DataView,
  start: number,
  limit: number,
) => void

/** See {@link Writer}. The methods that `Writer` does not have are for framings and rings. */
export class WriterImpl implements Writer {
  #memory: Buffer = EMPTY
  #view: DataView = NOTHING
  /** The position at which the message starts. */
  start = 0
  /** The position of the next byte. */
  pos = 0
  #limit = CLOSED
  /** The position at which `encode` started, after the header that the framing writes. */
  body = 0
  /** Whether the writer writes into a ring, and not into the scratch buffer. */
  inPlace = false
  /** Whether an `encode` uses the writer. A write inside that `encode` needs another writer. */
  isBusy = false
  #scratch: Buffer = EMPTY
  #scratchView: DataView = NOTHING

  static {
    memoryOf = (writer) => writer.#memory
    place = (writer, memory, view, start, limit) => {
      // Usually the writer was in the same ring before.
      if (writer.#memory !== memory) {
        writer.#memory = memory
        writer.#view = view
      }
      writer.start = writer.pos = writer.body = start
      writer.#limit = limit
      writer.inPlace = true
    }
  }

  /** Moves to the scratch buffer. */
  toScratch(): void {
    if (this.#scratch.length === 0) this.#grow(SCRATCH_BYTES)
    this.#memory = this.#scratch
    this.#view = this.#scratchView
    this.start = this.pos = this.body = 0
    this.#limit = this.#scratch.length
    this.inPlace = false
  }

  #grow(size: number): void {
    this.#scratch = Buffer.allocUnsafeSlow(size)
    this.#scratchView = new DataView(this.#scratch.buffer, 0, size)
  }

  /** Ends the message. From now on every method throws. */
  close(): void {
    this.#limit = CLOSED
  }

  /** Called once the message was copied from the scratch buffer, or refused. Drops the buffer if it is large. */
  releaseScratch(): void {
    if (!this.inPlace && this.#scratch.length > MOST_KEPT) {
      this.#scratch = this.#memory = EMPTY
      // The views hold the buffer too.
      this.#scratchView = this.#view = NOTHING
    }
  }

  get length(): number {
    return this.pos - this.body
  }

  /** Reserves the next `n` bytes, and returns their position. */
  #take(n: number): number {
    if (this.pos + n > this.#limit) this.#extend(n)
    const at = this.pos
    this.pos = at + n
    return at
  }

  /** Makes room for `n` more bytes: moves the message to the scratch buffer, or to a larger one. */
  #extend(n: number): void {
    if (this.#limit === CLOSED) {
      throw new MillraceError(
        'ERR_WRITER_STALE',
        'a Writer is valid only inside the encode that it was given to',
      )
    }
    const { start, pos, body } = this
    const used = pos - start
    if (this.inPlace ? used + n > this.#scratch.length : true) {
      this.#grow(Math.max(SCRATCH_BYTES, 2 * (used + n)))
    }
    this.#memory.copy(this.#scratch, 0, start, pos)
    this.toScratch()
    this.pos = used
    this.body = body - start
  }

  /** Reserves `n` bytes at the front of the message, for the framing. */
  reserve(n: number): void {
    this.#take(n)
    this.body = this.pos
  }

  /** Writes a number of `width` bytes into the header that was reserved. */
  patch(value: number, width: number, little: boolean): void {
    if (width === 4) {
      this.#view.setUint32(this.start, value, little)
      return
    }
    let rest = value
    for (let at = 0; at < width; at++) {
      this.#memory[little ? this.start + at : this.start + width - 1 - at] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }

  /** Moves the body `n` bytes back, for a header that is wider than what was reserved. */
  shift(n: number): void {
    this.#take(n)
    this.#memory.copyWithin(this.body + n, this.body, this.pos - n)
    this.body += n
  }

  // Every number is checked before bytes are reserved, because a throw must not leave a gap with old bytes. The
  // checks convert the number to its type and compare: about 1 ns, and 5 ns for a bigint.

  u8(value: number): this {
    if (typeof value !== 'number' || (value & 0xff) !== value) throw wrongInteger('u8', value)
    // Reserved before `memory` is read, because reserving may switch to other memory.
    const at = this.#take(1)
    this.#memory[at] = value
    return this
  }
  i8(value: number): this {
    if (typeof value !== 'number' || (value << 24) >> 24 !== value) throw wrongInteger('i8', value)
    const at = this.#take(1)
    this.#memory[at] = value
    return this
  }
  u16(value: number): this {
    if (typeof value !== 'number' || (value & 0xffff) !== value) throw wrongInteger('u16', value)
    const at = this.#take(2)
    this.#view.setUint16(at, value)
    return this
  }
  u16le(value: number): this {
    if (typeof value !== 'number' || (value & 0xffff) !== value) throw wrongInteger('u16le', value)
    const at = this.#take(2)
    this.#view.setUint16(at, value, true)
    return this
  }
  i16(value: number): this {
    if (typeof value !== 'number' || (value << 16) >> 16 !== value) throw wrongInteger('i16', value)
    const at = this.#take(2)
    this.#view.setInt16(at, value)
    return this
  }
  i16le(value: number): this {
    if (typeof value !== 'number' || (value << 16) >> 16 !== value)
      throw wrongInteger('i16le', value)
    const at = this.#take(2)
    this.#view.setInt16(at, value, true)
    return this
  }
  u32(value: number): this {
    if (typeof value !== 'number' || value >>> 0 !== value) throw wrongInteger('u32', value)
    const at = this.#take(4)
    this.#view.setUint32(at, value)
    return this
  }
  u32le(value: number): this {
    if (typeof value !== 'number' || value >>> 0 !== value) throw wrongInteger('u32le', value)
    const at = this.#take(4)
    this.#view.setUint32(at, value, true)
    return this
  }
  i32(value: number): this {
    if (typeof value !== 'number' || (value | 0) !== value) throw wrongInteger('i32', value)
    const at = this.#take(4)
    this.#view.setInt32(at, value)
    return this
  }
  i32le(value: number): this {
    if (typeof value !== 'number' || (value | 0) !== value) throw wrongInteger('i32le', value)
    const at = this.#take(4)
    this.#view.setInt32(at, value, true)
    return this
  }
  u64(value: bigint): this {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) {
      throw wrongInteger('u64', value)
    }
    const at = this.#take(8)
    this.#view.setBigUint64(at, value)
    return this
  }
  u64le(value: bigint): this {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) {
      throw wrongInteger('u64le', value)
    }
    const at = this.#take(8)
    this.#view.setBigUint64(at, value, true)
    return this
  }
  i64(value: bigint): this {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) {
      throw wrongInteger('i64', value)
    }
    const at = this.#take(8)
    this.#view.setBigInt64(at, value)
    return this
  }
  i64le(value: bigint): this {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) {
      throw wrongInteger('i64le', value)
    }
    const at = this.#take(8)
    this.#view.setBigInt64(at, value, true)
    return this
  }
  f32(value: number): this {
    if (typeof value !== 'number') throw wrongType('f32', 'a number', value)
    const at = this.#take(4)
    this.#view.setFloat32(at, value)
    return this
  }
  f32le(value: number): this {
    if (typeof value !== 'number') throw wrongType('f32le', 'a number', value)
    const at = this.#take(4)
    this.#view.setFloat32(at, value, true)
    return this
  }
  f64(value: number): this {
    if (typeof value !== 'number') throw wrongType('f64', 'a number', value)
    const at = this.#take(8)
    this.#view.setFloat64(at, value)
    return this
  }
  f64le(value: number): this {
    if (typeof value !== 'number') throw wrongType('f64le', 'a number', value)
    const at = this.#take(8)
    this.#view.setFloat64(at, value, true)
    return this
  }

  bytes(bytes: Uint8Array): this {
    // The `length` of another object may not be a number, which would break the position.
    if (!(bytes instanceof Uint8Array)) throw wrongType('bytes', 'a Uint8Array', bytes)
    const n = lengthOf.call(bytes)
    const at = this.#take(n)
    const memory = this.#memory
    if (n <= SHORT) {
      for (let i = 0; i < n; i++) memory[at + i] = bytes[i] as number
    } else {
      memory.set(bytes, at)
    }
    return this
  }

  text(text: string, encoding: BufferEncoding = 'utf8'): this {
    if (typeof text !== 'string') throw wrongType('text', 'a string', text)
    const length = text.length
    if (length <= SHORT && (encoding === 'utf8' || encoding === 'latin1')) {
      const at = this.#take(length)
      if (this.#short(text, at)) return this
      this.pos = at
    }
    const n = Buffer.byteLength(text, encoding)
    const at = this.#take(n)
    // An unknown encoding makes `write` throw. Then nothing was written.
    this.pos = at
    // Malformed hex or base64 becomes fewer bytes. The old memory after them must not be sent.
    this.pos = at + this.#memory.write(text, at, n, encoding)
    return this
  }

  /** Writes short ASCII text without a call. Returns false if the text is not ASCII. */
  #short(text: string, at: number): boolean {
    const memory = this.#memory
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      memory[at + i] = code
    }
    return true
  }

  copy(reader: Reader, n: number): this {
    const { memory, at } = lend(reader as ReaderImpl, n)
    const to = this.#take(n)
    if (n <= SHORT) {
      const target = this.#memory
      for (let i = 0; i < n; i++) target[to + i] = memory[at + i] as number
    } else {
      memory.copy(this.#memory, to, at, at + n)
    }
    return this
  }
}
