/** Received input that waits to be delivered, in order: frames, or pieces of a raw stream. */

import { type ReaderImpl, readerOver } from '../codec/reader-impl.js'
import type { Parked } from '../util/parked-limit.js'

/** Pieces up to this size share memory. A peer that sends tiny frames would cost an object for each otherwise. */
const SMALL = 1024
/** The sizes of the memory that they share, the first for a connection with little to keep. */
const FIRST_SHARED = 512
const SHARED = 8 * 1024

const NOTHING = Buffer.alloc(0)
const NO_READER = readerOver(NOTHING, true)

/** Pieces that stand one after the other in the same memory. */
class Run {
  readonly memory: Buffer
  /** Made for the first piece that is taken. */
  #reader: ReaderImpl | undefined
  /** How long the pieces are, and which of them is the next one. */
  readonly #lengths: number[] = []
  #next = 0
  /** Where the next piece begins, and where the last one ends. */
  #at = 0
  #end = 0
  /** Whether the memory is for one frame alone, so that the message may keep a view of it. */
  readonly #isOwn: boolean

  constructor(size: number, isOwn: boolean) {
    this.memory = Buffer.allocUnsafeSlow(size)
    this.#isOwn = isOwn
  }

  get isTaken(): boolean {
    return this.#next === this.#lengths.length
  }

  get reader(): ReaderImpl {
    this.#reader ??= readerOver(this.memory, this.#isOwn)
    return this.#reader
  }

  hasRoom(length: number): boolean {
    return this.memory.length - this.#end >= length
  }

  add(memory: Buffer, at: number, end: number): void {
    memory.copy(this.memory, this.#end, at, end)
    this.#end += end - at
    this.#lengths.push(end - at)
  }

  /** Where the next piece begins. */
  get nextAt(): number {
    return this.#at
  }

  /** Goes on to the piece after the next one. */
  take(): void {
    this.#at += this.#lengths[this.#next++] ?? 0
  }
}

/** The parked input of one connection. */
export class ParkedInput implements Parked {
  /** Whether a piece is a whole frame. A piece of a raw stream may have several messages, or be read again. */
  readonly #hasFrames: boolean
  #runs: Run[] = []
  bytes = 0
  /** Pieces that wait. */
  count = 0
  /** The piece that was taken last is in `memory` from `at` to `end`. */
  memory: Buffer = NOTHING
  at = 0
  end = 0
  /** A reader over that memory. */
  reader: ReaderImpl = NO_READER

  constructor(hasFrames: boolean) {
    this.#hasFrames = hasFrames
  }

  /** Copies a piece behind all others. */
  push(memory: Buffer, at: number, end: number): void {
    this.#runFor(end - at).add(memory, at, end)
    this.#count(1, end - at)
  }

  /** Copies a piece in front of all others. */
  unshift(memory: Buffer, at: number, end: number): void {
    const run = new Run(end - at, false)
    run.add(memory, at, end)
    this.#runs.unshift(run)
    this.#count(1, end - at)
  }

  /** Takes the next piece, which is then in `memory` from `at` to `end`; false if there is none. */
  take(): boolean {
    const [run] = this.#runs
    if (run === undefined) {
      this.release()
      return false
    }
    this.memory = run.memory
    this.reader = run.reader
    this.at = run.nextAt
    run.take()
    this.end = run.nextAt
    if (run.isTaken) this.#runs.shift()
    this.#count(-1, this.at - this.end)
    return true
  }

  /** Forgets the piece that was taken last, if none follows: an idle connection must not keep it. */
  release(): void {
    if (this.count > 0) return
    this.memory = NOTHING
    this.reader = NO_READER
  }

  #runFor(length: number): Run {
    const last = this.#runs.at(-1)
    if (length <= SMALL && last?.hasRoom(length)) return last
    const shared = last === undefined ? FIRST_SHARED : SHARED
    const run =
      length > SMALL ? new Run(length, this.#hasFrames) : new Run(Math.max(length, shared), false)
    this.#runs.push(run)
    return run
  }

  #count(pieces: number, bytes: number): void {
    this.count += pieces
    this.bytes += bytes
  }
}
