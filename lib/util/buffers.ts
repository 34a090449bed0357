/** Makes Buffers that are views or copies of memory. One is made for each message, so it has to take little time. */

import { Buffer } from 'node:buffer'

/**
 * A Buffer of memory that may be transferred. `Buffer` alone leaves open whether that is shared with other threads, and
 * takes parameters only in later versions of `@types/node`.
 */
export type OwnBuffer = Buffer & { readonly buffer: ArrayBuffer }

interface BufferClass {
  new (memory: ArrayBuffer, at: number, length: number): Buffer
  new (bytes: Uint8Array): OwnBuffer
}

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
    const copy = new (Class as BufferClass)(view)
    return (
      Object.getPrototypeOf(view) === Buffer.prototype &&
      byteOffset === 2 &&
      length === 3 &&
      Object.getPrototypeOf(copy) === Buffer.prototype &&
      copy.buffer.byteLength === 3
    )
  } catch {
    return false
  }
}

const isFast = makesBuffers(Species)

/** Returns a view of `length` bytes of `memory` from `at` on. The caller has to check the bounds. */
export const viewOf: (memory: ArrayBuffer, at: number, length: number) => Buffer = isFast
  ? (memory, at, length) => new Species(memory, at, length)
  : (memory, at, length) => Buffer.from(memory, at, length)

/** Up to so many bytes V8 keeps in the object itself, without an `ArrayBuffer` until somebody asks for it. */
export const MAX_IN_OBJECT = 64

/** Copies `length` bytes of `memory` from `at` on to memory that nothing else is in. */
export function copyOf(memory: ArrayBuffer, at: number, length: number): OwnBuffer {
  const view = viewOf(memory, at, length)
  if (isFast && length <= MAX_IN_OBJECT) return new Species(view)
  // Not by the constructor, which would fill it with zeros first.
  const copy = Buffer.allocUnsafeSlow(length)
  copy.set(view)
  return copy
}
