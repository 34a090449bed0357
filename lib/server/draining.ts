/** The connections of a server or a listener, counted, and how all of them come to an end. */

import { Wait } from '../connection/cold-state.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import { MillraceError } from '../errors.js'
import { checkNames, whole } from '../util/checks.js'

/** What `close` takes. */
export interface CloseOptions {
  /** Milliseconds after which what is still open is destroyed. Default 30,000. */
  timeout?: number
}

const NAMES: ReadonlySet<string> = new Set(['timeout'])
const TIMEOUT = 30_000

/** What has connections, and can be closed. */
export interface Closable {
  /** As messages name it. */
  readonly what: 'server' | 'listener'
  /** All connections that are open. */
  conns(): Iterable<ConnImpl>
  /** Accepts no more. Resolves once every connection that was accepted is told of. */
  stop(): Promise<unknown>
  /** The last `close` has run. */
  over(): void
}

/** It is begun once, and bounded by a time. */
export class Draining {
  readonly #closable: Closable
  readonly #empty = new Wait()
  #count = 0
  #promise: Promise<void> | undefined
  /** The time to close is over. */
  #gaveUp: MillraceError | undefined

  constructor(closable: Closable) {
    this.#closable = closable
  }

  /** Connections that are open. */
  get count(): number {
    return this.#count
  }

  /** Those who ask later share the promise. Rejects with `ERR_INVALID_OPTION`. */
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
    const timer = setTimeout(() => this.#giveUp(timeout), timeout)
    // A connection ends when its loop has said that its input is through, and its promises settle.
    await this.#closable.stop()
    if (this.#count > 0) await this.#empty.promise()
    clearTimeout(timer)
    this.#closable.over()
  }

  #giveUp(timeout: number): void {
    const why = `still open ${timeout} ms after its ${this.#closable.what} began to close`
    this.#gaveUp = new MillraceError('ERR_CLOSE_TIMEOUT', why)
    for (const conn of this.#closable.conns()) conn.destroy(this.#gaveUp)
  }

  opened(conn: ConnImpl): void {
    this.#count++
    // Accepted in the last sweep, and told only now.
    if (this.#gaveUp !== undefined) conn.destroy(this.#gaveUp)
  }

  /** One is gone. */
  left(): void {
    if (--this.#count === 0) this.#empty.resolve()
  }
}
