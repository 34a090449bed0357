/** Counts the open connections of a server or a listener, and ends them when that closes. */

import type { ConnImpl } from '../connection/conn-impl.js'
import { MillraceError } from '../errors.js'
import { checkNames, whole } from '../util/checks.js'
import { SharedWait } from '../util/deferred.js'
import { clearTimeout, now, setTimeout } from '../util/timers.js'

/**
 * The options of `close`, for a server or a listener.
 *
 * @example
 * ```ts
 * const options: CloseOptions = { timeout: 5_000 }
 * await server.close(options)
 * ```
 */
export interface CloseOptions {
  /**
   * Milliseconds after which connections that are still open are destroyed with `ERR_CLOSE_TIMEOUT`. 0
   * does so at once. Default 30,000.
   */
  timeout?: number | undefined
}

const CLOSE_NAMES: ReadonlySet<string> = new Set(['timeout'])
const DEFAULT_TIMEOUT = 30_000

/** The part of a server or a listener that closing it needs. */
export interface Drainable {
  /** Names it in error messages. */
  readonly kind: 'server' | 'listener'
  /** Visits all connections that are open. */
  conns(): Iterable<ConnImpl>
  /** Stops accepting. Resolves once every accepted connection has opened. */
  stop(): Promise<unknown>
  /** Called once the last `close` handler has run. */
  finished(): void
}

/** Closes a server or a listener once, within a time limit. */
export class Draining {
  readonly #drainable: Drainable
  readonly #empty = new SharedWait()
  #count = 0
  #promise: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  /** When the timer runs out, in the time of `performance.now()`. */
  #deadline = Number.POSITIVE_INFINITY
  #isFinished = false
  /** The error of connections that are open after the timeout. Undefined until it has passed. */
  #timeoutError: MillraceError | undefined

  constructor(drainable: Drainable) {
    this.#drainable = drainable
  }

  /** The number of open connections. */
  get count(): number {
    return this.#count
  }

  /**
   * Starts to close. Later calls return the promise of the first call, and a `timeout` of theirs counts if
   * it ends earlier.
   *
   * @throws `ERR_INVALID_OPTION`, as a rejection
   */
  close(options: CloseOptions): Promise<void> {
    try {
      checkNames(options, CLOSE_NAMES, ' of close')
      const timeout = whole('timeout', options.timeout, DEFAULT_TIMEOUT, 0)
      if (this.#promise === undefined) this.#promise = this.#close(timeout)
      else if (options.timeout !== undefined && !this.#isFinished) this.#expireAfter(timeout)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return this.#promise
  }

  async #close(timeout: number): Promise<void> {
    this.#expireAfter(timeout)
    // After `stop` each connection ends by itself, once the promises of its handlers have settled.
    await this.#drainable.stop()
    if (this.#count > 0) await this.#empty.promise()
    clearTimeout(this.#timer)
    this.#isFinished = true
    this.#drainable.finished()
  }

  /** Sets the time limit, unless an earlier one is set. */
  #expireAfter(timeout: number): void {
    const deadline = now() + timeout
    if (deadline >= this.#deadline) return
    this.#deadline = deadline
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#expire(timeout), timeout)
  }

  #expire(timeout: number): void {
    const { kind } = this.#drainable
    const message = `the connection was still open when the timeout of ${kind}.close (${timeout} ms) ended`
    this.#timeoutError = new MillraceError('ERR_CLOSE_TIMEOUT', message)
    for (const conn of this.#drainable.conns()) conn.destroy(this.#timeoutError)
  }

  /** Counts a connection that has opened. */
  connOpened(conn: ConnImpl): void {
    this.#count++
    // The connection was accepted before the server stopped, but opens after the timeout.
    if (this.#timeoutError !== undefined) conn.destroy(this.#timeoutError)
  }

  /** Counts a connection that has closed. */
  connClosed(): void {
    if (--this.#count === 0) this.#empty.resolve()
  }
}
