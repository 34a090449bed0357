/** Memory for small copies of received bytes. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'

/** The size of a slab in bytes. */
const SLAB_BYTES = 64 * 1024

const EMPTY = Buffer.alloc(0)

/** Gives out pieces of large allocations, which takes less time than an allocation for each piece. */
class Slab {
  /** A view of the whole `memory`. */
  buffer: Buffer = EMPTY
  memory: ArrayBuffer = EMPTY.buffer as ArrayBuffer
  words: Int32Array = new Int32Array(this.memory, 0, 0)
  #used = 0

  /** Reserves `n` bytes and returns where in `buffer` they begin. */
  take(n: number): number {
    if (n > this.buffer.length - this.#used) {
      this.buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.memory = this.buffer.buffer as ArrayBuffer
      this.words = new Int32Array(this.memory)
      this.#used = 0
    }
    const at = this.#used
    // Aligned to 8 bytes, so that views with wider elements are possible.
    this.#used = (at + n + 7) & ~7
    return at
  }
}

/** The slab of this JavaScript environment. */
export const slab: Slab = new Slab()
