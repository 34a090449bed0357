/** A queue that counts the bytes in it. */

/** How much may wait in a queue. The queue is full once it reaches either number. */
export interface QueueLimit {
  readonly bytes: number
  readonly items: number
}

/** The most frames, or datagrams, that may wait while nobody takes them. */
export const MAX_PARKED_ITEMS = 1024

/** Once so many items were removed, the array is copied without them. */
const MAX_REMOVED = 1024

/** Received input that waits to be delivered, in order: frames, chunks of a raw stream, or datagrams. */
export class PendingQueue<Item extends { readonly length: number }> {
  #items: (Item | undefined)[] = []
  /** The index of the first item that is still in the queue. */
  #first = 0
  #bytes = 0

  get count(): number {
    return this.#items.length - this.#first
  }

  /** Returns whether the queue has reached its limit, so that receiving should stop. */
  isFull(limit: QueueLimit): boolean {
    return this.#bytes >= limit.bytes || this.count >= limit.items
  }

  /** Returns whether at most half of the limit is in use, so that receiving may go on. */
  isLow(limit: QueueLimit): boolean {
    return this.#bytes <= limit.bytes / 2 && this.count <= limit.items / 2
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

  /** Removes the first item, and returns it. */
  shift(): Item | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    // A queue that is never empty must not keep what was taken from it.
    this.#items[this.#first++] = undefined
    this.#bytes -= item.length
    if (this.#first === this.#items.length || this.#first > MAX_REMOVED) {
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
