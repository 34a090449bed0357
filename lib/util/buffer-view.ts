/** Views of memory as Buffers, made for every message: without a copy, and without a needless look. */

import { Buffer } from 'node:buffer'

type Make = new (memory: ArrayBuffer, at: number, length: number) => Buffer

/**
 * The class of Node's own whose objects Buffers are, as `subarray` finds it. `Buffer.from` looks first
 * at what it was given, which takes longer than the view.
 */
const Species = (Buffer as unknown as { readonly [Symbol.species]: Make })[Symbol.species]

/** A runtime may have another class there, or none but `Buffer`, which must not be called with `new`. */
function makesBuffers(Class: unknown): boolean {
  if (typeof Class !== 'function' || Class === Buffer) return false
  try {
    const view = new (Class as Make)(new ArrayBuffer(8), 2, 3)
    const { byteOffset, length } = view
    return Object.getPrototypeOf(view) === Buffer.prototype && byteOffset === 2 && length === 3
  } catch {
    return false
  }
}

/** `length` bytes of `memory` from `at` on; the caller knows that they are there. */
export const viewOf: (memory: ArrayBuffer, at: number, length: number) => Buffer = makesBuffers(
  Species,
)
  ? (memory, at, length) => new Species(memory, at, length)
  : (memory, at, length) => Buffer.from(memory, at, length)
