/** Where the body of a frame is among its bytes. Loops deliver frames as they came from the wire. */

import type { Framing } from './framing.js'

/** It differs from frame to frame. */
const VARIES = -1

const CR = 13

/** What a framing puts around a body. */
export class FrameShape {
  /** Bytes before the body, or {@link VARIES}. */
  readonly #head: number
  /** Bytes before the varint, if the head varies. */
  readonly #offset: number
  /** Bytes after the body, or {@link VARIES}. */
  readonly #tail: number

  constructor(framing: Exclude<Framing, { kind: 'raw' }>) {
    const { kind } = framing
    const isVarint = kind === 'varint'
    this.#head = isVarint ? (framing.strip ?? VARIES) : kind === 'lengthField' ? framing.strip : 0
    this.#offset = isVarint ? (framing.offset ?? 0) : 0
    this.#tail = kind === 'delimiter' ? framing.bytes.length : kind === 'line' ? VARIES : 0
  }

  /** Returns where the body of the frame at `at` begins. */
  bodyStart(memory: Uint8Array, at: number): number {
    return this.#head === VARIES ? varintEnd(memory, at + this.#offset) : at + this.#head
  }

  /** Returns where the body of the frame from `at` to `end` ends. */
  bodyEnd(memory: Uint8Array, at: number, end: number): number {
    return end - (this.#tail === VARIES ? lineEndLength(memory, at, end) : this.#tail)
  }

  /** Returns where the frame at `at` ends whose body has `length` bytes. */
  frameEnd(memory: Uint8Array, at: number, length: number): number {
    const end = this.bodyStart(memory, at) + length
    if (this.#tail !== VARIES) return end + this.#tail
    return end + (memory[end] === CR ? 2 : 1)
  }
}

/** Returns what a framing puts around a body; `undefined` if it is `raw`, which has no frames. */
export function shapeOf(framing: Framing): FrameShape | undefined {
  return framing.kind === 'raw' ? undefined : new FrameShape(framing)
}

function varintEnd(memory: Uint8Array, at: number): number {
  let last = at
  while ((memory[last] as number) >= 0x80) last++
  return last + 1
}

function lineEndLength(memory: Uint8Array, at: number, end: number): number {
  return end - at >= 2 && memory[end - 2] === CR ? 2 : 1
}
