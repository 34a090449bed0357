/** Makes Buffers that are views of memory: one for each message, so without copies or needless checks. */

import { Buffer } from 'node:buffer'

type BufferClass = new (memory: ArrayBuffer, at: number, length: number) => Buffer

/**
 * The class that `subarray` makes Buffers with. `Buffer.from` first examines its arguments, which takes
 * longer than making the view.
 */
const Species = (Buffer as unknown as { readonly [Symbol.species]: BufferClass })[Symbol.species]

/** Other runtimes may have another class there, or `Buffer` itself, which must not be called with `new`. */
function makesBuffers(Class: unknown): boolean {
  if (typeof Class !== 'function' || Class === Buffer) return false
  try {
    const view = new (Class as BufferClass)(new ArrayBuffer(8), 2, 3)
    const { byteOffset, length } = view
    return Object.getPrototypeOf(view) === Buffer.prototype && byteOffset === 2 && length === 3
  } catch {
    return false
  }
}

/** Views `length` bytes of `memory` from `at` on. The caller has checked that the bytes are there. */
export const viewOf: (memory: ArrayBuffer, at: number, length: number) => Buffer = makesBuffers(
  Species,
)
  ? (memory, at, length) => new Species(memory, at, length)
  : (memory, at, length) => Buffer.from(memory, at, length)
