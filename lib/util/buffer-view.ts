/** Makes Buffers that are views of memory. One is made for each message, so it has to take little time. */

import { Buffer } from 'node:buffer'

type BufferClass = new (memory: ArrayBuffer, at: number, length: number) => Buffer

/**
 * The class that `subarray` makes Buffers with. `Buffer.from` first examines its arguments, which takes
 * longer than making the view.
 */
const Species = (Buffer as unknown as { readonly [Symbol.species]: BufferClass })[Symbol.species]

/**
 * Returns whether a class makes Buffers. Other runtimes may have another class, or `Buffer` itself, which
 * must not be called with `new`.
 */
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

/** Returns a view of `length` bytes of `memory` from `at` on. The caller has to check the bounds. */
export const viewOf: (memory: ArrayBuffer, at: number, length: number) => Buffer = makesBuffers(
  Species,
)
  ? (memory, at, length) => new Species(memory, at, length)
  : (memory, at, length) => Buffer.from(memory, at, length)
