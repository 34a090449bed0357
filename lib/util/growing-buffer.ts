/** A queue of bytes. */

const FIRST_SIZE = 256
/** Less memory is kept, whatever part of it is used. */
const MOST_SPARE = 16 * 1024

/**
 * Bytes that are appended at the end, and consumed from the front. The memory doubles when it is full, so
 * that many small additions take linear time.
 */
export class GrowingBuffer {
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE)
  #start = 0
  #end = 0

  get length(): number {
    return this.#end - this.#start
  }

  /** The memory that has the bytes, from `start` to `end`. `append` and `consume` may replace the memory. */
  get memory(): Buffer {
    return this.#memory
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  /** Appends the bytes of `source` from `from` to `to`. */
  append(source: Buffer, from: number, to: number): void {
    const added = to - from
    if (this.#end + added > this.#memory.length) {
      const length = this.length
      const target =
        2 * (length + added) > this.#memory.length
          ? Buffer.allocUnsafeSlow(2 * (length + added))
          : this.#memory
      this.#memory.copy(target, 0, this.#start, this.#end)
      this.#memory = target
      this.#start = 0
      this.#end = length
    }
    source.copy(this.#memory, this.#end, from, to)
    this.#end += added
  }

  /** Removes everything before `start`. Replaces the memory if the rest needs little of it. */
  consume(start: number): void {
    this.#start = start
    const { length } = this
    // It may have grown to the largest message, which a connection that waits for the rest of a small one must not keep.
    if (this.#memory.length <= MOST_SPARE || length > this.#memory.length / 8) return
    const memory = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 * length))
    this.#memory.copy(memory, 0, this.#start, this.#end)
    this.#memory = memory
    this.#start = 0
    this.#end = length
  }
}
