/** Memory for the bytes of records that wait in a queue. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'

const SLAB_BYTES = 256 * 1024
/** How many slabs are kept for later: 1 MiB. */
const MOST_SPARE = 4

/** A large piece of memory, for the bytes of many records. */
export interface Slab {
  readonly memory: Buffer
  /** Where its free part begins. */
  end: number
  /** How many records have bytes here. */
  records: number
}

/**
 * Makes a slab that the system gets back when nobody refers to it. The memory of an ordinary `ArrayBuffer` goes back to
 * the allocator, which keeps it: after a few hundred peers that did not read, hundreds of megabytes stayed with the
 * process. That of one that can be resized is mapped.
 */
function makeSlab(size: number): Slab {
  const Mapped = ArrayBuffer as new (
    size: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer
  const memory = new Mapped(size, { maxByteLength: size })
  return { memory: Buffer.from(memory, 0, size), end: 0, records: 0 }
}

/** Keeps copies of the bytes of records. What is not needed any more goes back to the system, but for a few slabs. */
export class QueueMemory {
  #current = makeSlab(0)
  readonly #spare: Slab[] = []

  /** Copies the bytes of a record to the end of a slab, which it returns: they end at `slab.end`. */
  keep(bytes: Uint8Array): Slab {
    if (bytes.length > this.#current.memory.length - this.#current.end) {
      this.#current =
        bytes.length > SLAB_BYTES
          ? makeSlab(bytes.length)
          : (this.#spare.pop() ?? makeSlab(SLAB_BYTES))
    }
    const slab = this.#current
    slab.memory.set(bytes, slab.end)
    slab.end += bytes.length
    slab.records++
    return slab
  }

  /** Is told that a record of a slab has gone. */
  release(slab: Slab): void {
    if (--slab.records > 0) return
    slab.end = 0
    if (slab === this.#current || slab.memory.length !== SLAB_BYTES) return
    if (this.#spare.length < MOST_SPARE) this.#spare.push(slab)
  }

  /** Is told that all records have gone. */
  clear(): void {
    this.#current = makeSlab(0)
    this.#spare.length = 0
  }
}
