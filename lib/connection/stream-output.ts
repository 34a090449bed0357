/** The output of a connection that is used as a stream. */

import type { ConnImpl } from './conn-impl.js'
import { CLOSED, DESTROYED, OUTPUT_OVER } from './flags.js'
import { writeStreamed } from './writing.js'

/** The most that is written at once: the connection may have that much more to send than its high-water mark. */
const PIECE = 64 * 1024

/** Tells the stream that a write is done, or why it failed. */
export type WriteDone = (error?: Error | null) => void

/** Passes what is written to a stream on to its connection, as fast as that takes it. */
export class StreamOutput {
  readonly #conn: ConnImpl
  /** What the connection was not given yet. */
  #waiting: Buffer[] = []
  #done: WriteDone | undefined

  constructor(conn: ConnImpl) {
    this.#conn = conn
  }

  /** Writes chunks. Calls `done` when the connection takes more. */
  write(chunks: Buffer[], done: WriteDone): void {
    this.#waiting = gather(chunks).reverse()
    this.#done = done
    this.goOn()
  }

  /** The connection takes more, or has closed in good order. */
  goOn(): void {
    const conn = this.#conn
    for (let chunk = this.#waiting.pop(); chunk !== undefined; chunk = this.#waiting.pop()) {
      if (conn.flags & OUTPUT_OVER) {
        this.#refuse(chunk)
        return
      }
      if (chunk.length > PIECE) this.#waiting.push(chunk.subarray(PIECE))
      if (!writeStreamed(conn, chunk.subarray(0, PIECE))) return
    }
    this.#finish()
  }

  /** The stream was destroyed: what waits is dropped. */
  drop(error: Error | null): void {
    this.#waiting = []
    this.#finish(error ?? this.#conn.coldState().endError())
  }

  /** Nothing can be written any more. */
  #refuse(chunk: Buffer): void {
    const { flags } = this.#conn
    if (flags & DESTROYED && !(flags & CLOSED)) {
      // It was destroyed by the user. The stream hears of that when the connection has closed.
      this.#waiting.push(chunk)
      return
    }
    this.drop(null)
  }

  #finish(error?: Error): void {
    const done = this.#done
    this.#done = undefined
    done?.(error)
  }
}

/** Joins small chunks that follow each other, because each write costs a system call. */
function gather(chunks: Buffer[]): Buffer[] {
  const gathered: Buffer[] = []
  for (let from = 0, to = 0; from < chunks.length; from = to) {
    let length = 0
    do length += chunks[to++]?.length ?? 0
    while (to < chunks.length && length + (chunks[to]?.length ?? 0) <= PIECE)
    const [first, ...rest] = chunks.slice(from, to)
    if (first === undefined) break
    gathered.push(rest.length === 0 ? first : Buffer.concat([first, ...rest], length))
  }
  return gathered
}
