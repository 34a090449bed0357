/** A queue that counts the bytes in it. */

/** How much may wait in a queue. */
export interface QueueLimit {
  readonly bytes: number
  readonly items: number
}

/** Removed items are cut off the array's front once there are this many of them. */
const SPARE = 1024

/** Received input that was not delivered yet, in order: frames, chunks of a raw stream, or datagrams. */
export class PendingQueue<Item extends { readonly length: number }> {
  #items: Item[] = []
  /** The place of the first item that is still in the queue. */
  #first = 0
  #bytes = 0

  get count(): number {
    return this.#items.length - this.#first
  }

  /** Whether nothing more should be received. */
  isFull(limit: QueueLimit): boolean {
    return this.#bytes >= limit.bytes || this.count >= limit.items
  }

  /** Whether the queue has fallen below half of its limit, so that receiving may go on. */
  isLow(limit: QueueLimit): boolean {
    return this.#bytes < limit.bytes / 2 && this.count < limit.items / 2
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#bytes += item.length
  }

  /** Puts an item in front of all others. */
  unshift(item: Item): void {
    if (this.#first > 0) this.#items[--this.#first] = item
    else this.#items.unshift(item)
    this.#bytes += item.length
  }

  shift(): Item | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    this.#first++
    this.#bytes -= item.length
    if (this.#first === this.#items.length || this.#first > SPARE) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#first = 0
    this.#bytes = 0
  }
}
