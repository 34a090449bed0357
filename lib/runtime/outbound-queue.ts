/** The queue of records that did not fit into a loop's outbound ring. */

import type { SlotHandle } from './record-handlers.js'
import type { RingWriter } from './ring-writer.js'

/** A record that is queued. */
interface QueuedRecord {
  readonly kind: number
  readonly handle: SlotHandle
  /** What is left to send; undefined for a record without a payload. */
  bytes: Buffer | undefined
}

/** Records in the order in which they have to go out. */
export class OutboundQueue {
  #records: (QueuedRecord | undefined)[] = []
  /** The place of the first record that is still in the queue. */
  #first = 0

  get isEmpty(): boolean {
    return this.#first === this.#records.length
  }

  /** Appends a record. The queue keeps `bytes`, which nobody may change any more. */
  push(kind: number, handle: SlotHandle, bytes: Buffer | undefined): void {
    this.#records.push({ kind, handle, bytes })
  }

  /** Moves all records of another queue to the end of this one. */
  append(other: OutboundQueue): void {
    // Not spread into one call, which has room for some 100,000 arguments only.
    for (const record of other.#records.slice(other.#first)) this.#records.push(record)
    other.#clear()
  }

  /** Moves records into the ring as long as there is room. */
  moveInto(ring: RingWriter): void {
    while (!this.isEmpty) {
      const next = this.#records[this.#first] as QueuedRecord
      const part = next.bytes?.subarray(0, ring.largest)
      if (!ring.push(next.kind, next.handle, part)) return
      if (next.bytes !== undefined && next.bytes.length > ring.largest) {
        next.bytes = next.bytes.subarray(ring.largest)
      } else {
        // A queue that is never empty must not keep what has gone out.
        this.#records[this.#first++] = undefined
      }
    }
    this.#clear()
  }

  /** Removes all records of a connection. */
  remove(handle: SlotHandle): void {
    if (this.isEmpty) return
    this.#records = this.#records.slice(this.#first).filter((each) => each?.handle !== handle)
    this.#first = 0
  }

  #clear(): void {
    if (this.#records.length > 0) this.#records = []
    this.#first = 0
  }
}
