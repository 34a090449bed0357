/** What a connection needs only now and then, made at its first use. */

/** A promise with its ends in reach. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** A promise whose rejection nobody has to handle: an unawaited one must not end the process. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** A promise that nobody has to await: a rejection of it ends no process. */
export function unawaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** One wait that all who ask in the meantime share. */
export class Wait {
  #deferred: Deferred<void> | undefined

  get isOn(): boolean {
    return this.#deferred !== undefined
  }

  promise(): Promise<void> {
    this.#deferred ??= deferred<void>()
    return this.#deferred.promise
  }

  resolve(): void {
    this.#deferred?.resolve()
    this.#deferred = undefined
  }

  reject(error: Error): void {
    this.#deferred?.reject(error)
    this.#deferred = undefined
  }
}

/** Input that was received and not delivered: frames, or chunks of a raw stream, in order. */
export class Parked {
  #pieces: Buffer[] = []
  #from = 0
  bytes = 0

  get count(): number {
    return this.#pieces.length - this.#from
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.bytes += piece.length
  }

  /** Puts back what was taken and not used up. */
  unshift(piece: Buffer): void {
    if (this.#from > 0) this.#pieces[--this.#from] = piece
    else this.#pieces.unshift(piece)
    this.bytes += piece.length
  }

  shift(): Buffer | undefined {
    const piece = this.#pieces[this.#from]
    if (piece === undefined) return undefined
    this.#from++
    this.bytes -= piece.length
    if (this.#from === this.#pieces.length || this.#from > 1024) {
      this.#pieces = this.#pieces.slice(this.#from)
      this.#from = 0
    }
    return piece
  }
}

/** Bytes of a raw stream that are no whole message yet. Grows by doubling, so it is never quadratic. */
export class Rest {
  #buffer: Buffer = Buffer.allocUnsafeSlow(256)
  #start = 0
  #end = 0
  /** There are bytes that `decode` has not seen. */
  isFresh = false

  get length(): number {
    return this.#end - this.#start
  }

  append(source: Buffer, from: number, to: number): void {
    const added = to - from
    if (this.#end + added > this.#buffer.length) {
      const length = this.length
      const target =
        2 * (length + added) > this.#buffer.length
          ? Buffer.allocUnsafeSlow(2 * (length + added))
          : this.#buffer
      this.#buffer.copy(target, 0, this.#start, this.#end)
      this.#buffer = target
      this.#start = 0
      this.#end = length
    }
    source.copy(this.#buffer, this.#end, from, to)
    this.isFresh = true
    this.#end += added
  }

  get memory(): Buffer {
    return this.#buffer
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  /** Everything before `start` has become messages. */
  consume(start: number): void {
    this.#start = start
  }
}

/** The parts of a connection that most never need. */
export class Extras {
  parked: Parked | undefined
  rest: Rest | undefined
  /** A large frame that is coming in parts, and how much of it is there. */
  frame: Buffer | undefined
  frameLength = 0
  readonly drained: Wait = new Wait()
  /** The wait that the loop was asked about, and the one of those who asked since. */
  flushed: Wait = new Wait()
  flushedNext: Wait = new Wait()
  readonly closed: Wait = new Wait()
  /** Somebody pulls and waits. */
  pull: Deferred<void> | undefined
  /** Why it was destroyed from here. */
  error: Error | undefined

  /** Somebody waits for what has been written. */
  get isAwaited(): boolean {
    return this.drained.isOn || this.flushed.isOn || this.flushedNext.isOn
  }

  /** What they wait for does not come. */
  fail(error: Error): void {
    this.drained.reject(error)
    this.flushed.reject(error)
    this.flushedNext.reject(error)
  }
}
