/** The memory that small copies of received bytes are cut from. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'

/** Bytes of one slab. */
const SLAB = 64 * 1024

const EMPTY = Buffer.alloc(0)

/** Hands out pieces of one allocation after the other, which is cheaper than an allocation for each. */
class Slab {
  /** All of `memory`. */
  buffer: Buffer = EMPTY
  memory: ArrayBuffer = EMPTY.buffer as ArrayBuffer
  words: Int32Array = new Int32Array(this.memory, 0, 0)
  #used = 0

  /** Reserves `n` bytes and returns where in `buffer` they begin. */
  take(n: number): number {
    if (n > this.buffer.length - this.#used) {
      this.buffer = Buffer.allocUnsafeSlow(SLAB)
      this.memory = this.buffer.buffer as ArrayBuffer
      this.words = new Int32Array(this.memory)
      this.#used = 0
    }
    const at = this.#used
    // Aligned, so that views with wider elements are possible.
    this.#used = (at + n + 7) & ~7
    return at
  }
}

/** The slab of this JavaScript environment. */
export const slab: Slab = new Slab()
