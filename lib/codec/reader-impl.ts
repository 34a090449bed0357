/** The implementation of `Reader`: reads a frame, or the bytes received so far, in place. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'
import { MillraceError } from '../errors.js'
import { blameUser } from '../util/blame.js'
import { copyOf, MAX_IN_OBJECT, type OwnBuffer, viewOf } from '../util/buffers.js'
import type { Reader } from './reader.js'
import { MAX_PIECE, slabFor } from './slab.js'
import { wrongNumber, wrongType } from './wrong-argument.js'

/** Up to this many bytes, a loop finds a byte faster than a call does. */
const SHORT_SEARCH = 64

/** `toString('latin1')`, if possible without its checks, which take as long as reading a short string. */
const latin1: (this: Buffer, from: number, to: number) => string =
  (Buffer.prototype as { latin1Slice?: (from: number, to: number) => string }).latin1Slice ??
  function (this: Buffer, from, to) {
    return this.toString('latin1', from, to)
  }

/** How many inner readers are kept for the next frame. */
const MAX_INNER_KEPT = 16

const EMPTY = Buffer.alloc(0)
const NOTHING = new DataView(EMPTY.buffer, 0, 0)

// Not methods, because users have the reader, and must not reach the memory of a ring.

/**
 * Moves a reader to other memory.
 *
 * @param isOwn whether the memory will never be used for anything else
 */
export let attach: (reader: ReaderImpl, memory: Buffer, view: DataView, isOwn: boolean) => void
/** Takes the next `n` bytes for `Writer.copy`. Returns the memory, and where the bytes begin in it. */
export let lend: (reader: ReaderImpl, n: number) => { memory: Buffer; at: number }

/** See {@link Reader}. Each loop moves one reader over its inbound ring. Other readers use ordinary memory. */
export class ReaderImpl implements Reader {
  #memory: Buffer = EMPTY
  #view: DataView = NOTHING
  /** The memory that `#memory` is a view of. */
  #arrayBuffer = NOTHING.buffer
  /** Where the view begins in it. */
  #byteOffset = 0
  /** The position of the next byte. */
  pos = 0
  /** The position after the last byte of the frame; -1 while the reader may not be used. */
  end = -1
  /** The position at which the reader was last closed. */
  stoppedAt = 0
  /** How many bytes are to be dropped that have not come yet; -1 if the reader is not over a raw stream. */
  #ahead = -1
  /** Whether bytes were discarded, so that what was read stays read. */
  hasDiscarded = false
  /** Whether the memory belongs to the frame alone, so that `bytes` may return a view of it. */
  #isOwn = false
  /** The reader that `decode` was given, if `frame` has returned this one. */
  #root: ReaderImpl | undefined
  /** All readers that `frame` has returned in this `decode`, whatever their depth, and then some of earlier ones. */
  #inner: ReaderImpl[] | undefined
  /** How many of them are of this `decode`. */
  #innerCount = 0

  static {
    attach = (reader, memory, view, isOwn) => {
      reader.#memory = memory
      reader.#view = view
      reader.#arrayBuffer = memory.buffer as ArrayBuffer
      reader.#byteOffset = memory.byteOffset
      reader.#isOwn = isOwn
      reader.#inner = undefined
      reader.#innerCount = 0
    }
    lend = (reader, n) => ({ at: reader.#take(n), memory: reader.#memory })
  }

  /** Starts a frame. */
  open(start: number, end: number): void {
    this.pos = start
    this.end = end
  }

  /** Starts a message of a raw stream, of which more may come. */
  openStream(start: number, end: number): void {
    this.open(start, end)
    this.#ahead = 0
    this.hasDiscarded = false
  }

  /** Ends a message of a raw stream. Returns how many of the bytes to come are to be dropped. */
  closeStream(): number {
    const ahead = this.#ahead
    this.#ahead = -1
    this.close()
    return ahead
  }

  /** Ends the frame. From now on every method throws. */
  close(): void {
    this.stoppedAt = this.pos
    this.pos = 0
    this.end = -1
    if (this.#innerCount > 0) this.#closeInner()
  }

  #closeInner(): void {
    const inner = this.#inner as ReaderImpl[]
    const count = this.#innerCount
    this.#innerCount = 0
    for (let index = 0; index < count; index++) inner[index]?.close()
    if (inner.length > MAX_INNER_KEPT) inner.length = MAX_INNER_KEPT
  }

  /** Throws the error for `n` bytes that cannot be read. */
  #fail(n: unknown): never {
    if (this.end === -1) {
      throw new MillraceError(
        'ERR_READER_STALE',
        'a Reader is valid only inside the decode that it was given to',
      )
    }
    if (!Number.isInteger(n))
      throw wrongNumber('a Reader', 'lengths and places that are whole numbers', n)
    // Computed from what the peer has sent, in most cases: `skip(u16() - 2)`, say.
    const isInner = this.#root !== undefined
    const end = isInner ? 'past the end of an inner frame' : 'past the end of the frame'
    const what = (n as number) < 0 ? `a length of ${n}` : end
    const error = new MillraceError('ERR_FRAME_INVALID', `decode read ${what}`)
    // The peer has said how long an inner frame is. In another one, `decode` may not have looked at `remaining`.
    throw isInner ? error : blameUser(error)
  }

  /** Takes the next `n` bytes and returns where they begin. */
  #take(n: number): number {
    const at = this.pos
    const next = at + n
    // `next > end` is not enough: `n` may be negative, NaN or a fraction.
    if (n >>> 0 !== n || next > this.end) this.#fail(n)
    this.pos = next
    return at
  }

  get remaining(): number {
    if (this.end === -1) this.#fail(0)
    return this.end - this.pos
  }

  u8(): number {
    return this.#memory[this.#take(1)] as number
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2))
  }
  u16le(): number {
    return this.#view.getUint16(this.#take(2), true)
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2))
  }
  i16le(): number {
    return this.#view.getInt16(this.#take(2), true)
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }
  u32le(): number {
    return this.#view.getUint32(this.#take(4), true)
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4))
  }
  i32le(): number {
    return this.#view.getInt32(this.#take(4), true)
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8))
  }
  u64le(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8))
  }
  i64le(): bigint {
    return this.#view.getBigInt64(this.#take(8), true)
  }
  f32(): number {
    return this.#view.getFloat32(this.#take(4))
  }
  f32le(): number {
    return this.#view.getFloat32(this.#take(4), true)
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8))
  }
  f64le(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  peek(at = 0): number {
    const position = this.pos + at
    if (at >>> 0 !== at || position >= this.end) this.#fail(at)
    return this.#memory[position] as number
  }

  indexOf(needle: number | Uint8Array, from = 0): number {
    if (from >>> 0 !== from || from > this.remaining) this.#fail(from)
    const start = this.pos + from
    if (typeof needle === 'number') {
      if ((needle & 0xff) !== needle) throw wrongNeedle(needle)
      if (this.end - start <= SHORT_SEARCH) {
        for (let at = start; at < this.end; at++) {
          if (this.#memory[at] === needle) return at - this.pos
        }
        return -1
      }
    } else if (!(needle instanceof Uint8Array)) {
      throw wrongNeedle(needle)
    }
    // The memory goes on after the frame, but the search must not.
    const found = this.#memory.subarray(start, this.end).indexOf(needle)
    return found === -1 ? -1 : found + from
  }

  startsWith(bytes: Uint8Array): boolean {
    // Text has a length too, and would begin nothing.
    if (!(bytes instanceof Uint8Array)) throw wrongType('startsWith', 'a Uint8Array', bytes)
    if (bytes.length > this.remaining) return false
    for (let at = 0; at < bytes.length; at++) {
      if (this.#memory[this.pos + at] !== bytes[at]) return false
    }
    return true
  }

  bytes(n: number): Buffer {
    const at = this.#take(n)
    const memory = this.#arrayBuffer
    const from = this.#byteOffset + at
    if (n <= MAX_IN_OBJECT) return copyOf(memory, from, n)
    // More than half of the memory is in this piece, so that no other view of it is made.
    if (this.#isOwn && 2 * n > memory.byteLength) return viewOf(memory, from, n)
    if (n > MAX_PIECE) return copyOf(memory, from, n)
    const slab = slabFor(n)
    const start = slab.take(n)
    const piece = viewOf(slab.memory, start, n)
    piece.set(viewOf(memory, from, n))
    return piece
  }

  copy(n: number): OwnBuffer {
    const at = this.#take(n)
    return copyOf(this.#arrayBuffer, this.#byteOffset + at, n)
  }

  text(n: number, encoding: BufferEncoding = 'utf8'): string {
    const at = this.#take(n)
    if (encoding === 'latin1') return latin1.call(this.#memory, at, at + n)
    return this.#memory.toString(encoding, at, at + n)
  }

  skip(n: number): void {
    this.#take(n)
  }

  discard(n: number): void {
    if (this.#ahead === -1 || !Number.isSafeInteger(n) || n < 0) {
      this.#take(n)
      return
    }
    const here = Math.min(n, this.remaining)
    this.pos += here
    this.#ahead += n - here
    if (n > 0) this.hasDiscarded = true
  }

  frame(n: number): ReaderImpl {
    const at = this.#take(n)
    // In one list, because a peer may send frames in frames in frames, and closing them must not need the stack.
    const root = this.#root ?? this
    root.#inner ??= []
    let inner = root.#inner[root.#innerCount]
    if (inner === undefined) {
      inner = new ReaderImpl()
      attach(inner, this.#memory, this.#view, this.#isOwn)
      inner.#root = root
      root.#inner.push(inner)
    }
    root.#innerCount++
    inner.open(at, at + n)
    return inner
  }
}

function wrongNeedle(needle: unknown): TypeError | RangeError {
  return wrongNumber('indexOf', 'a byte from 0 to 255, or a Uint8Array', needle)
}

/**
 * Makes a reader over memory that is not a ring.
 *
 * @param isOwn whether the memory will never be used for anything else
 */
export function readerOver(memory: Buffer, isOwn: boolean): ReaderImpl {
  const reader = new ReaderImpl()
  attach(reader, memory, new DataView(memory.buffer, memory.byteOffset, memory.length), isOwn)
  return reader
}
