/** Reads a frame, or the bytes received so far, in place. */

// Imported: the global is a getter, and slower.
import { Buffer } from 'node:buffer'
import { MillraceError } from '../errors.js'
import { viewOf } from '../util/buffer-view.js'

/** Bytes of a slab: what small `bytes()` are views into. */
const SLAB = 64 * 1024
/** From here on a copy has memory of its own, so that keeping it keeps nothing else. */
const OWN = 16 * 1024
/** Up to here a loop finds a byte faster than a call. */
const NEAR = 64
/** Up to here a loop copies faster, word by word, than a view is made to be copied from. */
const FEW = 128

/**
 * Reads numbers, text and bytes from the front of a frame. Valid only inside the `decode` it was
 * given to.
 *
 * Every method that reads past the end throws `ERR_FRAME_INVALID`, which destroys the connection
 * unless it is caught: with a `raw` framing look at {@link remaining} first. After `decode` has
 * returned, every method throws `ERR_READER_STALE`.
 */
export interface Reader {
  /** Bytes not read yet. */
  readonly remaining: number
  u8(): number
  i8(): number
  /** Two bytes, big-endian. */
  u16(): number
  u16le(): number
  i16(): number
  i16le(): number
  /** Four bytes, big-endian. */
  u32(): number
  u32le(): number
  i32(): number
  i32le(): number
  /** Eight bytes, big-endian, as a bigint. */
  u64(): bigint
  u64le(): bigint
  i64(): bigint
  i64le(): bigint
  f32(): number
  f32le(): number
  f64(): number
  f64le(): number
  /** The byte `at` places ahead, without reading it. Default 0, the next one. */
  peek(at?: number): number
  /** How many bytes before the next `needle`, a byte or bytes, looking from `from` on; -1 if there is none. */
  indexOf(needle: number | Uint8Array, from?: number): number
  /** True if these bytes come next. */
  startsWith(bytes: Uint8Array): boolean
  /** The next `n` bytes as memory of your own, to keep and to change. */
  bytes(n: number): Buffer
  /** The next `n` bytes as text. `encoding` is `utf8` by default; `latin1` is the fastest. */
  text(n: number, encoding?: BufferEncoding): string
  /** Passes over `n` bytes. */
  skip(n: number): void
}

/** `toString('latin1')` without its checks, which cost as much as a short string, where there is one. */
const latin1: (this: Buffer, from: number, to: number) => string =
  (Buffer.prototype as { latin1Slice?: (from: number, to: number) => string }).latin1Slice ??
  function (this: Buffer, from, to) {
    return this.toString('latin1', from, to)
  }

const EMPTY = Buffer.alloc(0)
const NOTHING = new DataView(EMPTY.buffer, 0, 0)

/** Memory that small copies are cut from. */
class Slab {
  /** All of `memory`. */
  buffer: Buffer = EMPTY
  memory = NOTHING.buffer
  words = new Int32Array(this.memory)
  #used = 0

  /** Room for `n` bytes; `at` of the result says where in `buffer`. */
  take(n: number): number {
    if (n > this.buffer.length - this.#used) {
      this.buffer = Buffer.allocUnsafeSlow(SLAB)
      this.memory = this.buffer.buffer as ArrayBuffer
      this.words = new Int32Array(this.memory)
      this.#used = 0
    }
    const at = this.#used
    // Aligned, so that views of wider elements over the memory are possible.
    this.#used = (at + n + 7) & ~7
    return at
  }
}

const slab = new Slab()

/** The one implementation. The pump moves it over its rings; `testCodec` over ordinary memory. */
export class FrameReader implements Reader {
  #memory: Buffer = EMPTY
  #view: DataView = NOTHING
  /** What `#memory` is a view of, and from where on. */
  #below = NOTHING.buffer
  #from = 0
  /** The same as words, if it begins with one and is padded to one. */
  #words: Int32Array | undefined
  /** The next byte. */
  pos = 0
  /** Behind the last byte; -1 when it may not be used. */
  end = -1
  /** Up to where the memory holds data that one copy may take along: see `bytes`. */
  #batchEnd = 0
  /** The part of the memory that has been copied to a slab, and where. */
  #copiedFrom = 0
  #copiedTo = 0
  #copyMemory = NOTHING.buffer
  #copyAt = 0
  /** The memory is the frame's own: `bytes` are views of it. */
  #isOwn = false

  /**
   * Moves to other memory. `isOwn` says that nobody will ever use it for anything else; `words`, if
   * there are, are all of it.
   */
  attach(memory: Buffer, view: DataView, isOwn: boolean, words?: Int32Array): void {
    this.#memory = memory
    this.#view = view
    this.#below = memory.buffer as ArrayBuffer
    this.#from = memory.byteOffset
    this.#words = words
    this.#isOwn = isOwn
    this.#batchEnd = 0
    this.#copiedFrom = this.#copiedTo = 0
  }

  /** The memory holds data up to there, all of it for this reader in turn. */
  batch(end: number): void {
    this.#batchEnd = end
    this.#copiedFrom = this.#copiedTo = 0
  }

  /** The frame is there. */
  open(start: number, end: number): void {
    this.pos = start
    this.end = end
  }

  /** From here on every method throws. */
  close(): void {
    this.pos = 0
    this.end = -1
  }

  #fail(): never {
    if (this.end === -1) {
      throw new MillraceError(
        'ERR_READER_STALE',
        'a Reader is valid only inside the decode it was given to',
      )
    }
    throw new MillraceError('ERR_FRAME_INVALID', 'read past the end of the frame')
  }

  /** Where the next `n` bytes start, which are passed over. */
  #take(n: number): number {
    const at = this.pos
    const next = at + n
    // Not `next > end` alone: n may be negative, NaN or no integer.
    if (n >>> 0 !== n || next > this.end) this.#fail()
    this.pos = next
    return at
  }

  get remaining(): number {
    if (this.end === -1) this.#fail()
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
    const place = this.pos + at
    if (at >>> 0 !== at || place >= this.end) this.#fail()
    return this.#memory[place] as number
  }

  indexOf(needle: number | Uint8Array, from = 0): number {
    if (from >>> 0 !== from || from > this.remaining) this.#fail()
    const start = this.pos + from
    if (typeof needle === 'number' && this.end - start <= NEAR) {
      for (let at = start; at < this.end; at++) {
        if (this.#memory[at] === needle) return at - this.pos
      }
      return -1
    }
    // The memory goes on behind the frame: the search must not.
    const found = this.#memory.subarray(start, this.end).indexOf(needle)
    return found === -1 ? -1 : found + from
  }

  startsWith(bytes: Uint8Array): boolean {
    if (bytes.length > this.remaining) return false
    for (let at = 0; at < bytes.length; at++) {
      if (this.#memory[this.pos + at] !== bytes[at]) return false
    }
    return true
  }

  bytes(n: number): Buffer {
    const at = this.#take(n)
    if (this.#isOwn) return this.#memory.subarray(at, at + n)
    if (n > OWN) {
      const copy = Buffer.allocUnsafeSlow(n)
      this.#memory.copy(copy, 0, at, at + n)
      return copy
    }
    if (at < this.#copiedFrom || at + n > this.#copiedTo) this.#copyAhead(at, n)
    return viewOf(this.#copyMemory, this.#copyAt + (at - this.#copiedFrom), n)
  }

  /**
   * Copies what comes next in the same batch along with these bytes: the next `bytes()` is then only
   * a view, which is three times cheaper than a copy of its own.
   */
  #copyAhead(at: number, n: number): void {
    const to = Math.max(at + n, Math.min(this.#batchEnd, at + OWN))
    const words = this.#words
    let place: number
    if (to - at <= FEW && words !== undefined) {
      // What stands around it in the first word and the last goes along.
      let from = at >> 2
      const behind = (to + 3) >> 2
      place = slab.take((behind - from) << 2)
      const into = slab.words
      for (let next = place >> 2; from < behind; from++, next++) into[next] = words[from] as number
      place += at & 3
    } else {
      place = slab.take(to - at)
      // A view, and set: `copy` makes one, too, and asks the memory for its own memory first.
      slab.buffer.set(viewOf(this.#below, this.#from + at, to - at), place)
    }
    this.#copiedFrom = at
    this.#copiedTo = to
    this.#copyMemory = slab.memory
    this.#copyAt = place
  }

  text(n: number, encoding: BufferEncoding = 'utf8'): string {
    const at = this.#take(n)
    if (encoding === 'latin1') return latin1.call(this.#memory, at, at + n)
    return this.#memory.toString(encoding, at, at + n)
  }

  skip(n: number): void {
    this.#take(n)
  }

  /** For `Writer.copy`: the memory, and where the next `n` bytes are in it. */
  lend(n: number): { memory: Buffer; at: number } {
    return { at: this.#take(n), memory: this.#memory }
  }
}

/** A reader over memory of its own, for what is not in a ring. */
export function readerOver(memory: Buffer, isOwn: boolean): FrameReader {
  const reader = new FrameReader()
  reader.attach(memory, new DataView(memory.buffer, memory.byteOffset, memory.length), isOwn)
  return reader
}
