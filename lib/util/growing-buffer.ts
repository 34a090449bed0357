/** Bytes that are appended at one end and consumed at the other. */

const FIRST_SIZE = 256

/** A buffer that doubles when it is full, so that appending byte by byte is never quadratic. */
export class GrowingBuffer {
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE)
  #start = 0
  #end = 0

  get length(): number {
    return this.#end - this.#start
  }

  /** The memory; the bytes are those from `start` to `end`. `append` may replace it. */
  get memory(): Buffer {
    return this.#memory
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

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

  /** Removes everything before `start`. */
  consume(start: number): void {
    this.#start = start
  }
}
