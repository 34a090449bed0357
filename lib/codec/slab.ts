/** Memory that small copies of received bytes share, so that not each of them needs an allocation. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'
import * as threads from 'node:worker_threads'

/** The shortest and the longest piece. Shorter copies need no allocation, and longer ones have their own. */
const MIN_PIECE = 65
export const MAX_PIECE: number = 16 * 1024

/** How many times its own length a piece may keep in memory. */
const MAX_PINNED = 8
const MAX_SLAB_BYTES = 64 * 1024
/** Pieces of so many bytes or more fit any slab of the largest size. */
const LARGE_PIECE = MAX_SLAB_BYTES / MAX_PINNED

/** The class of the shortest piece, and that of all large ones. There are four classes for each power of two. */
const FIRST_CLASS = classOf(MIN_PIECE)
const LARGE_CLASS = classOf(LARGE_PIECE)

const NOTHING = new ArrayBuffer(0)

/** Whoever transfers a slab would take other messages away. Not every runtime can forbid it. */
const forbidTransfer: (memory: ArrayBuffer) => void = canForbidTransfer()
  ? threads.markAsUntransferable
  : () => {}

function canForbidTransfer(): boolean {
  try {
    threads.markAsUntransferable(new ArrayBuffer(8))
    return true
  } catch {
    return false
  }
}

/** Gives out pieces of one size class. It is replaced when it is used up. */
export class Slab {
  readonly #bytes: number
  #used = 0
  /** The memory of the piece that was taken last. */
  memory: ArrayBuffer = NOTHING

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Reserves `n` bytes, and returns where in `memory` they begin: at a multiple of 8. */
  take(n: number): number {
    // The length is 0 if somebody has detached the memory, which Node 22 cannot prevent.
    if (n > this.memory.byteLength - this.#used) this.#renew()
    const at = this.#used
    this.#used = (at + n + 7) & ~7
    return at
  }

  #renew(): void {
    this.memory = allocate(this.#bytes)
    forbidTransfer(this.memory)
    this.#used = 0
  }
}

/** Allocates without zeros where filling with them would take long. For little memory, Node's way around it takes longer. */
function allocate(bytes: number): ArrayBuffer {
  if (bytes < 4096) return new ArrayBuffer(bytes)
  return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
}

/**
 * The slabs of this JavaScript environment, one for each class of sizes. A slab is at most 8 times as long as the
 * shortest piece of its class, so that keeping one piece keeps no more than 8 times its size in memory.
 */
const slabs: readonly Slab[] = Array.from(
  { length: LARGE_CLASS - FIRST_CLASS + 1 },
  (_, index) => new Slab(shortestOf(index + FIRST_CLASS) * MAX_PINNED),
)

/** Returns the slab for pieces of `n` bytes, from 65 to {@link MAX_PIECE}. */
export function slabFor(n: number): Slab {
  return slabs[(n < LARGE_PIECE ? classOf(n) : LARGE_CLASS) - FIRST_CLASS] as Slab
}

/** The class of a length: which power of two it is over, and its two bits behind the first one. */
function classOf(n: number): number {
  const shift = 29 - Math.clz32(n)
  return (shift << 2) + (n >> shift)
}

/** The inverse: the shortest length of a class. */
function shortestOf(sizeClass: number): number {
  // The first bit and the two behind it are a number from 4 to 7.
  const shift = (sizeClass >> 2) - 1
  return (sizeClass - (shift << 2)) << shift
}
