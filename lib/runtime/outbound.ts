/** The way out to one loop: the ring's near end, and what waits for room in it. */

import { type Encoder, encodeBody, type Framing, writeFrame } from '../codec/framing.js'
import { FrameWriter } from '../codec/writer.js'
import type { DatagramInfoImpl } from '../datagram/datagram-info.js'
import { MillraceError } from '../errors.js'
import { HEADER, KIND_DESTROY, KIND_SEND, KIND_WRITE, SKIP } from '../native/record.js'

/** A connection, as far as records name it. */
export interface Handle {
  readonly slot: number
  readonly generation: number
}

/** A record that waits for room. */
interface Waiting {
  readonly kind: number
  readonly handle: Handle
  /** What is left to send, for `KIND_WRITE`. */
  bytes: Buffer | undefined
}

/** The least room worth beginning a message in: a shorter rest of the ring is skipped. */
const MIN_ROOM = 64

/** Fills the ring that a loop empties. Positions are wrapping 32-bit integers. */
export class Outbound {
  readonly #memory: Buffer
  readonly #words: Int32Array
  readonly #view: DataView
  readonly #capacity: number
  readonly #mask: number
  /** The largest payload of one record. */
  readonly #largest: number
  readonly #writer = new FrameWriter()
  /** Where the next record goes. */
  tail = 0
  /** Up to where the loop has taken records, as last seen. */
  #head = 0
  /** Up to where the loop can see. */
  #shown = 0
  /** The last record, if it is a write that is not shown yet: the next write to the same connection
      grows it. */
  #last = -1
  #lastHandle: Handle | undefined
  /** Records for which the ring had no room, in order; all that come later queue up behind. */
  #waiting: Waiting[] = []
  #waitingFrom = 0
  /** Records made inside an `encode`. */
  #inside: Waiting[] = []

  constructor(ring: ArrayBuffer) {
    this.#memory = Buffer.from(ring)
    this.#words = new Int32Array(ring)
    this.#view = new DataView(ring)
    this.#capacity = ring.byteLength
    this.#mask = ring.byteLength - 1
    this.#largest = ring.byteLength / 4 - HEADER
  }

  /** Something waits for room: no more is taken from the loop until it has gone out. */
  get isBlocked(): boolean {
    return this.#waitingFrom < this.#waiting.length
  }

  /** An `encode` is writing. */
  get isWriting(): boolean {
    return this.#writer.isBusy
  }

  /** Bytes that the loop cannot see yet. */
  get unshown(): number {
    return (this.tail - this.#shown) >>> 0
  }

  /** The loop can see everything now. */
  shown(): void {
    this.#shown = this.tail
    this.#last = -1
  }

  /** The loop has taken everything up to `head`. */
  taken(head: number): void {
    this.#head = head
    if (this.isBlocked) this.#move()
  }

  /** Encodes a message, frame and all; how many bytes it has become. */
  write<Out>(handle: Handle, codec: Encoder<Out>, framing: Framing, message: Out): number {
    const writer = this.#writer
    if (writer.isBusy) return this.#writeInside(handle, codec, framing, message)
    const start = this.isBlocked ? -1 : this.#begin(handle, writer)
    if (start === -1) writer.aside()
    writer.isBusy = true
    try {
      writeFrame(codec, framing, message, writer)
      writer.isBusy = false
      const length = writer.pos - writer.start
      if (writer.inPlace) {
        this.#commit(start, handle, writer.pos)
      } else {
        this.#send(handle, writer.memory.subarray(writer.start, writer.pos))
        writer.done()
      }
      return length
    } finally {
      // Nothing was made visible: a throw leaves no trace.
      writer.isBusy = false
      writer.close()
      if (this.#inside.length > 0) this.#follow()
    }
  }

  /** A write inside `encode`: what the outer one has begun in the ring must not be touched. */
  #writeInside<Out>(handle: Handle, codec: Encoder<Out>, framing: Framing, message: Out): number {
    const writer = new FrameWriter()
    writer.aside()
    try {
      writeFrame(codec, framing, message, writer)
    } finally {
      writer.close()
    }
    const bytes = writer.memory.subarray(writer.start, writer.pos)
    this.#wait(KIND_WRITE, handle, Buffer.from(bytes))
    return bytes.length
  }

  /**
   * Encodes a datagram, which is one record and never parts of it; how many bytes it has become.
   *
   * @throws `ERR_FRAME_TOO_LARGE` over `max`
   */
  datagram<Out>(
    handle: Handle,
    to: DatagramInfoImpl,
    codec: Encoder<Out>,
    message: Out,
    max: number,
  ): number {
    const isInside = this.isWriting
    const writer = isInside ? new FrameWriter() : this.#writer
    const start = isInside || this.isBlocked ? undefined : this.#place(MIN_ROOM)
    if (start === undefined) {
      writer.aside()
    } else {
      const at = (start & this.#mask) + HEADER
      const room = Math.min(this.#largest, this.#roomAt(start) - HEADER)
      writer.place(this.#memory, this.#view, at, at + room)
    }
    writer.isBusy = true
    try {
      to.write(writer)
      writer.body = writer.pos
      encodeBody(codec, message, writer)
      writer.isBusy = false
      const { length } = writer
      if (length > max) {
        throw new MillraceError(
          'ERR_FRAME_TOO_LARGE',
          `a datagram of ${length} bytes is over the most that can be sent (${max})`,
        )
      }
      if (writer.inPlace && start !== undefined) {
        this.#header(start, KIND_SEND, handle, writer.pos - writer.start)
        this.#last = -1
      } else {
        const bytes = writer.memory.subarray(writer.start, writer.pos)
        if (isInside || this.isBlocked || !this.#push(KIND_SEND, handle, bytes))
          this.#wait(KIND_SEND, handle, Buffer.from(bytes))
      }
      return length
    } finally {
      writer.isBusy = false
      writer.close()
      writer.done()
      if (!isInside && this.#inside.length > 0) this.#follow()
    }
  }

  /** What was sent inside `encode` follows the message that it interrupted. */
  #follow(): void {
    this.#waiting.push(...this.#inside)
    this.#inside = []
    this.#move()
  }

  /** Sends bytes that are encoded already. */
  bytes(handle: Handle, bytes: Buffer): void {
    if (this.isWriting) this.#wait(KIND_WRITE, handle, Buffer.from(bytes))
    else this.#send(handle, bytes)
  }

  /** A record without a payload. */
  control(kind: number, handle: Handle): void {
    if (kind === KIND_DESTROY) this.#forget(handle)
    if (this.isWriting || this.isBlocked || !this.#push(kind, handle, undefined)) {
      this.#wait(kind, handle, undefined)
    }
  }

  /**
   * Lets the writer begin: behind the last record if that is a write to the same connection, else in
   * a new one. Where the record starts, or -1 if there is no room.
   */
  #begin(handle: Handle, writer: FrameWriter): number {
    const last = this.#last
    if (last !== -1 && this.#lastHandle === handle) {
      const at = last & this.#mask
      const length = this.#words[(at >> 2) + 3] as number
      const end = at + HEADER + length
      const limit = at + HEADER + Math.min(this.#largest, this.#roomAt(last) - HEADER)
      if (limit - end >= MIN_ROOM) {
        writer.place(this.#memory, this.#view, end, limit)
        return last
      }
    }
    const start = this.#place(MIN_ROOM)
    if (start === undefined) return -1
    const at = (start & this.#mask) + HEADER
    const room = Math.min(this.#largest, this.#roomAt(start) - HEADER)
    writer.place(this.#memory, this.#view, at, at + room)
    return start
  }

  /** Bytes from a position to the end of what is free and contiguous there. */
  #roomAt(position: number): number {
    const toEnd = this.#capacity - (position & this.#mask)
    const free = this.#capacity - ((position - this.#head) >>> 0)
    return Math.min(toEnd, free)
  }

  /** Where a record with a payload of `length` bytes can start. */
  #place(length: number): number | undefined {
    const need = HEADER + ((length + 7) & ~7)
    const toEnd = this.#capacity - (this.tail & this.#mask)
    const free = this.#capacity - ((this.tail - this.#head) >>> 0)
    if (need <= toEnd) return need <= free ? this.tail : undefined
    return toEnd + need <= free ? (this.tail + toEnd) | 0 : undefined
  }

  /** Makes, or grows, the write record at `start`, whose payload ends at the place `end`. */
  #commit(start: number, handle: Handle, end: number): void {
    const at = start & this.#mask
    const length = end - at - HEADER
    this.#header(start, KIND_WRITE, handle, length)
    this.#last = start
    this.#lastHandle = handle
  }

  #header(start: number, kind: number, handle: Handle, length: number): void {
    // Where a new record starts anew, what is left of the ring is skipped. (A grown record starts
    // before the tail.)
    if (start !== this.tail && (start & this.#mask) === 0 && ((start - this.tail) | 0) > 0) {
      this.#words[(this.tail & this.#mask) >> 2] = SKIP
    }
    const word = (start & this.#mask) >> 2
    this.#words[word] = handle.slot
    this.#words[word + 1] = handle.generation
    this.#words[word + 2] = kind
    this.#words[word + 3] = length
    this.tail = (start + HEADER + ((length + 7) & ~7)) | 0
  }

  /** Pushes a whole record; false if there is no room. */
  #push(kind: number, handle: Handle, bytes: Buffer | undefined): boolean {
    const length = bytes === undefined ? 0 : bytes.length
    const start = this.#place(length)
    if (start === undefined) return false
    if (bytes !== undefined) this.#memory.set(bytes, (start & this.#mask) + HEADER)
    this.#header(start, kind, handle, length)
    this.#last = -1
    return true
  }

  /** Sends bytes in as many records as it takes; what finds no room waits. */
  #send(handle: Handle, bytes: Buffer): void {
    let from = 0
    if (!this.isBlocked) {
      while (from < bytes.length) {
        const part = bytes.subarray(from, from + this.#largest)
        if (!this.#push(KIND_WRITE, handle, part)) break
        from += part.length
      }
    }
    // A copy: the bytes are the caller's, or a scratch buffer's.
    if (from < bytes.length) this.#wait(KIND_WRITE, handle, Buffer.from(bytes.subarray(from)))
  }

  #wait(kind: number, handle: Handle, bytes: Buffer | undefined): void {
    const queue = this.isWriting ? this.#inside : this.#waiting
    queue.push({ kind, handle, bytes })
  }

  /** Moves what waits into the ring, as far as there is room. */
  #move(): void {
    if (this.isWriting) return
    while (this.isBlocked) {
      const next = this.#waiting[this.#waitingFrom] as Waiting
      const part = next.bytes?.subarray(0, this.#largest)
      if (!this.#push(next.kind, next.handle, part)) return
      if (next.bytes !== undefined && next.bytes.length > this.#largest) {
        next.bytes = next.bytes.subarray(this.#largest)
      } else {
        this.#waitingFrom++
      }
    }
    this.#waiting = []
    this.#waitingFrom = 0
  }

  /** A destroyed connection sends nothing more. */
  #forget(handle: Handle): void {
    if (this.isWriting) this.#inside = this.#inside.filter((each) => each.handle !== handle)
    if (!this.isBlocked) return
    const rest = this.#waiting.slice(this.#waitingFrom)
    this.#waiting = rest.filter((each) => each.handle !== handle)
    this.#waitingFrom = 0
  }
}
