/** What a connection that is used as a stream tells the stream. */

import type { Duplex } from 'node:stream'
import { nextTick, queueMicrotask, setImmediate } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { DESTROYED, EOF, INPUT_DONE } from './flags.js'
import { type InputTaker, passOnReceived, takeInput } from './input-taker.js'
import { resumeReading, stopReading, takesInput } from './pausing.js'
import { park } from './reading.js'
import type { StreamOutput } from './stream-output.js'
import type { StreamTimer } from './stream-timer.js'

/** Milliseconds in which a loop that has room reads what there is. */
const READ_ON_MS = 100

/** Called by the connection. Pushes into the stream, and ends it when the connection ends. */
export class StreamInput implements InputTaker {
  readonly #conn: ConnImpl
  readonly #stream: Duplex
  readonly #output: StreamOutput
  readonly #timer: StreamTimer
  /** What was received before has been pushed. */
  #hasBegun = false
  /** The stream has more than it wants. */
  #isFull = false
  /** Bytes that had been received when the loop last asked about silence. */
  #receivedWhenAsked = -1
  /** The stream was told that no more follows. */
  #isOver = false
  /** What came while the stream had input that nobody could have read yet. */
  #later: Buffer[] = []
  /** Behind that, nothing follows. */
  #endsLater = false
  #whenClosed: (() => void) | undefined

  constructor(conn: ConnImpl, stream: Duplex, output: StreamOutput, timer: StreamTimer) {
    this.#conn = conn
    this.#stream = stream
    this.#output = output
    this.#timer = timer
    takeInput(conn, this)
    // Not at once: a handler may be running in the middle of a chunk, whose rest is parked when it returns.
    queueMicrotask(() => this.#begin())
  }

  #begin(): void {
    this.#hasBegun = true
    // Copied, because the pieces share memory, and a listener may take that away.
    passOnReceived(this.#conn, (bytes) => this.#take(Buffer.from(bytes)))
    if (this.#conn.flags & EOF) this.inputEnded(this.#conn)
    else if (!this.#isFull) resumeReading(this.#conn)
  }

  /** The stream takes more. */
  wanted(): void {
    this.#isFull = false
    if (this.#hasBegun) resumeReading(this.#conn)
  }

  /** Calls `callback` when the connection has closed, in place of telling the stream. */
  whenClosed(callback: () => void): void {
    this.#whenClosed = callback
  }

  receive(conn: ConnImpl, bytes: Buffer): void {
    if (!this.#hasBegun) {
      park(conn, bytes, 0, bytes.length)
      return
    }
    // What is received is in the ring, and valid until this returns.
    this.#take(Buffer.from(bytes))
  }

  /**
   * Pushes a chunk: later, if one waits in the stream. So each has a 'readable' of its own, as in node:net. From Node 26 on,
   * `read()` returns one chunk only, and readers exist that call it once for each event.
   */
  #take(chunk: Buffer): void {
    if (this.#later.length > 0) this.#later.push(chunk)
    else if (this.#stream.readableLength === 0) runListeners(() => this.#push(chunk))
    else this.#pushLater(chunk)
  }

  #pushLater(first: Buffer): void {
    this.#later.push(first)
    const next = () => {
      const chunk = this.#later[0] as Buffer
      runListeners(() => this.#push(chunk))
      this.#later.shift()
      if (this.#later.length > 0) nextTick(next)
      else if (this.#endsLater) runListeners(() => this.#end())
    }
    nextTick(next)
  }

  #push(bytes: Buffer): void {
    if (this.#isOver || this.#stream.destroyed) return
    this.#timer.renew()
    if (this.#stream.push(bytes)) return
    this.#isFull = true
    // What arrives after `close` is dropped, and not held back.
    if (takesInput(this.#conn)) stopReading(this.#conn)
  }

  idleLeft(conn: ConnImpl, limit: number): number {
    const { bytesRead } = conn
    if (bytesRead === this.#receivedWhenAsked) return 0
    // The loop may have waited for us to take what it had read, and gets a moment to read on.
    this.#receivedWhenAsked = bytesRead
    return Math.min(limit, READ_ON_MS)
  }

  takenOver(): void {}

  drained(): void {
    this.#timer.renew()
    runListeners(() => this.#output.goOn())
  }

  inputEnded(conn: ConnImpl): void {
    if (!this.#hasBegun) return
    conn.flags |= INPUT_DONE
    runListenersSoon(() => {
      const error = conn.cold?.error
      if (error === undefined) this.#end()
      else this.#stream.destroy(error)
    })
  }

  #end(): void {
    if (this.#isOver || this.#stream.destroyed) return
    if (this.#later.length > 0) {
      // It was received before the end.
      this.#endsLater = true
      return
    }
    this.#isOver = true
    this.#stream.push(null)
    // Nobody may have begun to read, and there may be nothing to read but the end.
    this.#stream.read(0)
  }

  outputEnded(): void {
    if (!this.#stream.writableEnded) runListeners(() => this.#stream.end())
  }

  /** The user closes the connection, or the stream does. */
  closing(): void {
    if (this.#stream.destroyed) return
    runListeners(() => {
      this.#end()
      if (!this.#stream.writableEnded) this.#stream.end()
    })
  }

  closed(conn: ConnImpl, error: Error | undefined): void {
    runListenersSoon(() => {
      if (this.#whenClosed !== undefined) this.#whenClosed()
      else if (error !== undefined || conn.flags & DESTROYED) this.#stream.destroy(error)
      else {
        // What was pushed can still be read.
        this.#end()
        this.#output.goOn()
        if (!this.#stream.writableEnded) this.#stream.end()
      }
    })
  }
}

/**
 * Runs what tells the end. Not at once: it may have come with the last bytes, and what these have set off goes first, as in
 * node:net, where each of them is an event of its own.
 */
function runListenersSoon(run: () => void): void {
  setImmediate(() => runListeners(run))
}

/** Runs what calls the stream's listeners. As in Node, what they throw is an uncaught exception. */
function runListeners(run: () => void): void {
  try {
    run()
  } catch (thrown) {
    // Not here: the records behind this one belong to others.
    nextTick(() => {
      throw thrown
    })
  }
}
