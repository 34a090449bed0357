/** Counts the connections of a server or a listener, and ends all of them when it closes. */

import type { ConnImpl } from '../connection/conn-impl.js'
import { MillraceError } from '../errors.js'
import { checkNames, whole } from '../util/checks.js'
import { SharedWait } from '../util/deferred.js'

/** What the `close` of a server or a listener takes. */
export interface CloseOptions {
  /**
   * Milliseconds after which connections that are still open are destroyed with `ERR_CLOSE_TIMEOUT`.
   * Default 30,000.
   */
  timeout?: number
}

const NAMES: ReadonlySet<string> = new Set(['timeout'])
const TIMEOUT = 30_000

/** A server or a listener, as its draining needs it. */
export interface Drainable {
  /** What error messages call it. */
  readonly what: 'server' | 'listener'
  /** All connections that are open. */
  conns(): Iterable<ConnImpl>
  /** Stops accepting. Resolves once every connection that was accepted has opened. */
  stop(): Promise<unknown>
  /** The last `close` handler has run. */
  finished(): void
}

/** The end of a server or a listener: begun at most once, and bounded in time. */
export class Draining {
  readonly #drainable: Drainable
  readonly #empty = new SharedWait()
  #count = 0
  #promise: Promise<void> | undefined
  /** Set once the timeout has passed. */
  #timedOut: MillraceError | undefined

  constructor(drainable: Drainable) {
    this.#drainable = drainable
  }

  /** The number of open connections. */
  get count(): number {
    return this.#count
  }

  /** Closes. Later calls share the first one's promise. Rejects with `ERR_INVALID_OPTION`. */
  close(options: CloseOptions): Promise<void> {
    try {
      checkNames(options, NAMES, ' of close')
      const timeout = whole('timeout', options.timeout, TIMEOUT, 0)
      this.#promise ??= this.#close(timeout)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return this.#promise
  }

  async #close(timeout: number): Promise<void> {
    const timer = setTimeout(() => this.#expire(timeout), timeout)
    // Stopping ends the input of each connection, which then ends once its handlers' promises settle.
    await this.#drainable.stop()
    if (this.#count > 0) await this.#empty.promise()
    clearTimeout(timer)
    this.#drainable.finished()
  }

  #expire(timeout: number): void {
    const why = `the connection was still open ${timeout} ms after its ${this.#drainable.what} began to close`
    this.#timedOut = new MillraceError('ERR_CLOSE_TIMEOUT', why)
    for (const conn of this.#drainable.conns()) conn.destroy(this.#timedOut)
  }

  /** Counts a connection that has opened. */
  connOpened(conn: ConnImpl): void {
    this.#count++
    // It was accepted before the server stopped, and opens only now.
    if (this.#timedOut !== undefined) conn.destroy(this.#timedOut)
  }

  /** Counts a connection that has closed. */
  connClosed(): void {
    if (--this.#count === 0) this.#empty.resolve()
  }
}
