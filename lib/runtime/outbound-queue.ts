/** The queue of records that did not fit into a loop's outbound ring. */

import { QueueMemory, type Slab } from './queue-memory.js'
import type { SlotHandle } from './record-handlers.js'
import type { RingWriter } from './ring-writer.js'

/** A record that is queued. */
interface QueuedRecord {
  readonly kind: number
  readonly handle: SlotHandle
  /** What is left to send; undefined for a record without a payload. */
  bytes: Buffer | undefined
  /** Where its bytes are. */
  readonly slab: Slab | undefined
  /** Who else has to wait until it has gone out. */
  readonly other: SlotHandle | undefined
}

/** What somebody waits for who is held back. */
interface Waiting {
  /** Records of its own. */
  own: number
  /** Records of others, which it has caused. */
  others: number
}

/** Once so many records have gone out, and they are half of all, the array is copied without them. */
const MOST_OUT = 1024

/**
 * Records in the order in which they have to go out. Whoever has records here is held back: its next record has to wait
 * here too, and the input of a connection or socket is not delivered. Nobody else is.
 */
export class OutboundQueue {
  #records: (QueuedRecord | undefined)[] = []
  readonly #memory = new QueueMemory()
  /** The place of the first record that is still in the queue. */
  #first = 0
  /** Who is held back. */
  readonly #waiting: Map<SlotHandle, Waiting> = new Map()
  /** How many records are still here of those who had sent them and send nothing more. */
  readonly #removed: Map<SlotHandle, number> = new Map()

  get isEmpty(): boolean {
    return this.#first === this.#records.length
  }

  /** Whether records of it wait, so that the next one has to wait behind them. */
  has(handle: SlotHandle): boolean {
    return this.#waiting.has(handle)
  }

  /**
   * Appends a record, with a copy of `bytes`.
   *
   * @param other has to wait for the record, too
   */
  push(kind: number, handle: SlotHandle, bytes: Buffer | undefined, other?: SlotHandle): void {
    const slab = bytes === undefined ? undefined : this.#memory.keep(bytes)
    const kept = bytes && slab?.memory.subarray(slab.end - bytes.length, slab.end)
    const cause = other === handle ? undefined : other
    this.#records.push({ kind, handle, bytes: kept, slab, other: cause })
    this.#holdBack(handle).own++
    if (cause !== undefined) this.#holdBack(cause).others++
  }

  /** Moves all records of another queue to the end of this one. */
  append(queue: OutboundQueue): void {
    for (const record of queue.#records.slice(queue.#first)) {
      if (record === undefined) continue
      const { other } = record
      if (!queue.#wasRemoved(record.handle))
        this.push(record.kind, record.handle, record.bytes, other)
      else if (other !== undefined && !this.has(other)) other.release?.()
    }
    queue.#waiting.clear()
    queue.#clear()
    queue.#memory.clear()
  }

  /** Moves records into the ring, and leaves a part of it to those who have nothing here. */
  moveInto(ring: RingWriter): void {
    while (!this.isEmpty) {
      const next = this.#records[this.#first] as QueuedRecord
      if (!this.#wasRemoved(next.handle)) {
        const part = next.bytes?.subarray(0, ring.largest)
        if (!ring.push(next.kind, next.handle, part, ring.reserve)) {
          this.#compact()
          return
        }
        if (next.bytes !== undefined && next.bytes.length > ring.largest) {
          next.bytes = next.bytes.subarray(ring.largest)
          continue
        }
        this.#letGo(next.handle, 'own')
      }
      // A queue that is never empty must not keep what has gone out.
      this.#records[this.#first++] = undefined
      if (next.slab !== undefined) this.#memory.release(next.slab)
      if (next.other !== undefined) this.#letGo(next.other, 'others')
    }
    this.#clear()
  }

  /** Removes all records of somebody who sends nothing more. */
  remove(handle: SlotHandle): void {
    const waiting = this.#waiting.get(handle)
    if (waiting === undefined) return
    // Not looked for: a thousand connections that are destroyed would walk over the queue a thousand times.
    if (waiting.own > 0) this.#removed.set(handle, (this.#removed.get(handle) ?? 0) + waiting.own)
    waiting.own = 0
    if (waiting.others === 0) this.#waiting.delete(handle)
  }

  /** Forgets all records, and holds nobody back any more. */
  drop(): void {
    const held = [...this.#waiting.keys()]
    this.#waiting.clear()
    this.#clear()
    this.#memory.clear()
    for (const handle of held) handle.release?.()
  }

  /** Whether the next record is of somebody who sends nothing more. */
  #wasRemoved(handle: SlotHandle): boolean {
    if (this.#removed.size === 0) return false
    const left = this.#removed.get(handle)
    if (left === undefined) return false
    if (left > 1) this.#removed.set(handle, left - 1)
    else this.#removed.delete(handle)
    return true
  }

  #holdBack(handle: SlotHandle): Waiting {
    let waiting = this.#waiting.get(handle)
    if (waiting === undefined) {
      waiting = { own: 0, others: 0 }
      this.#waiting.set(handle, waiting)
      handle.hold?.()
    }
    return waiting
  }

  #letGo(handle: SlotHandle, whose: keyof Waiting): void {
    const waiting = this.#waiting.get(handle)
    if (waiting === undefined) return
    waiting[whose]--
    if (waiting.own + waiting.others > 0) return
    this.#waiting.delete(handle)
    handle.release?.()
  }

  #compact(): void {
    // Not each time: a long queue would be copied again and again.
    if (this.#first < MOST_OUT || this.#first < this.#records.length / 2) return
    this.#records = this.#records.slice(this.#first)
    this.#first = 0
  }

  #clear(): void {
    if (this.#records.length > 0) this.#records = []
    this.#first = 0
    this.#removed.clear()
  }
}
