/** Writes records into a loop's outbound ring. */

import { place, type WriterImpl } from '../codec/writer-impl.js'
import { HEADER, SKIP } from '../native/record.js'
import type { SlotHandle } from './record-handlers.js'

/** The least room worth beginning a message in: a shorter rest of the ring is skipped. */
const MIN_ROOM = 64

/** The near end of a ring that a loop empties. Positions are wrapping 32-bit integers. */
export class RingWriter {
  /** The largest payload of one record. */
  readonly largest: number
  /** Bytes that queued records leave free, so that others need not wait behind them. */
  readonly reserve: number
  /** Where the next record goes. */
  tail = 0
  readonly #memory: Buffer
  readonly #words: Int32Array
  readonly #view: DataView
  readonly #capacity: number
  readonly #mask: number
  /** Up to here the loop has taken records, as last seen. */
  #head = 0
  /** Up to here the loop can see records. */
  #shown = 0
  /**
   * The last record, if it is a write that the loop cannot see yet, otherwise -1. The next write to the
   * same connection makes it longer.
   */
  #last = -1
  #lastHandle: SlotHandle | undefined
  #lastKind = 0

  constructor(ring: ArrayBuffer) {
    this.#memory = Buffer.from(ring)
    this.#words = new Int32Array(ring)
    this.#view = new DataView(ring)
    this.#capacity = ring.byteLength
    this.#mask = ring.byteLength - 1
    this.largest = ring.byteLength / 4 - HEADER
    this.reserve = ring.byteLength / 4
  }

  /** Bytes that the loop cannot see yet. */
  get unshown(): number {
    return (this.tail - this.#shown) >>> 0
  }

  /** Says that the loop can see everything now. */
  shown(): void {
    this.#shown = this.tail
    this.#last = -1
  }

  /** Says that the loop has taken everything up to `head`. */
  taken(head: number): void {
    this.#head = head
  }

  /**
   * Lets a writer write the payload of a `WRITE` or `PUSH` record in place: at the end of the last record if that
   * is one of the same kind to the same connection, otherwise in a new one. `endWrite` completes the record.
   *
   * @returns where the record starts, or undefined if there is no room
   */
  beginWrite(kind: number, handle: SlotHandle, writer: WriterImpl): number | undefined {
    const last = this.#last
    if (last !== -1 && this.#lastHandle === handle && this.#lastKind === kind) {
      const at = last & this.#mask
      const end = at + HEADER + (this.#words[(at >> 2) + 3] as number)
      const limit = at + HEADER + Math.min(this.largest, this.#roomAt(last) - HEADER)
      if (limit - end >= MIN_ROOM) {
        place(writer, this.#memory, this.#view, end, limit)
        return last
      }
    }
    return this.beginRecord(writer)
  }

  /** Completes the record that `beginWrite` began, up to where its writer stands. */
  endWrite(start: number, kind: number, handle: SlotHandle, writer: WriterImpl): void {
    this.#header(start, kind, handle, writer.pos - (start & this.#mask) - HEADER)
    this.#last = start
    this.#lastKind = kind
    this.#lastHandle = handle
  }

  /**
   * Lets a writer write the payload of a new record in place. `endRecord` completes the record.
   *
   * @returns where the record starts, or undefined if there is no room
   */
  beginRecord(writer: WriterImpl): number | undefined {
    const start = this.#place(MIN_ROOM)
    if (start === undefined) return undefined
    const at = (start & this.#mask) + HEADER
    const room = Math.min(this.largest, this.#roomAt(start) - HEADER)
    place(writer, this.#memory, this.#view, at, at + room)
    return start
  }

  /** Completes the record that `beginRecord` began, up to where its writer stands. */
  endRecord(start: number, kind: number, handle: SlotHandle, writer: WriterImpl): void {
    this.#header(start, kind, handle, writer.pos - writer.start)
    this.#last = -1
  }

  /**
   * Writes a whole record.
   *
   * @param reserve bytes that have to stay free behind it
   * @returns false if there is no room
   */
  push(kind: number, handle: SlotHandle, bytes: Buffer | undefined, reserve = 0): boolean {
    const length = bytes === undefined ? 0 : bytes.length
    const start = this.#place(length, reserve)
    if (start === undefined) return false
    if (bytes !== undefined) this.#memory.set(bytes, (start & this.#mask) + HEADER)
    this.#header(start, kind, handle, length)
    this.#last = -1
    return true
  }

  /** Returns how many bytes from a position on are free and contiguous. */
  #roomAt(position: number): number {
    const toEnd = this.#capacity - (position & this.#mask)
    const free = this.#capacity - ((position - this.#head) >>> 0)
    return Math.min(toEnd, free)
  }

  /** Returns where a record with a payload of `length` bytes can start. */
  #place(length: number, reserve = 0): number | undefined {
    const need = HEADER + ((length + 7) & ~7)
    const toEnd = this.#capacity - (this.tail & this.#mask)
    const free = this.#capacity - ((this.tail - this.#head) >>> 0) - reserve
    if (need <= toEnd) return need <= free ? this.tail : undefined
    return toEnd + need <= free ? (this.tail + toEnd) | 0 : undefined
  }

  #header(start: number, kind: number, handle: SlotHandle, length: number): void {
    // A record at the front of the ring skips what is left at its end. (A record that grows starts
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
}
