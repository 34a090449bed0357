/** Where errors go: to `close`, to `error`, or to the process's warnings. */

import type { Connection } from './connection.js'
import { toError } from './errors.js'
import type { Handlers } from './handlers.js'

/** Warnings of one code are at least this many milliseconds apart. */
const WARNING_INTERVAL = 1000

/** Tells errors that belong to no `close`, at most one warning a second for each code. */
export class Reporter {
  /** When a code was last warned of. */
  readonly #warned: Map<string, number> = new Map()

  /** Tells the end of a connection. An error that its user's code threw does not go unseen. */
  closed(conn: Connection, error: Error | undefined): void {
    const { handlers } = conn.profile
    if (handlers.close !== undefined) {
      this.#run(() => handlers.close?.(conn, error), conn)
    } else if (error !== undefined && conn.isFailed) {
      this.report(handlers, error, conn)
    }
  }

  #run(handler: () => unknown, conn: Connection): void {
    const { handlers } = conn.profile
    try {
      const result = handler()
      if (result instanceof Promise)
        result.catch((reason: unknown) => this.report(handlers, toError(reason), conn))
    } catch (thrown) {
      this.report(handlers, toError(thrown), conn)
    }
  }

  /** Tells what no `close` tells: to `error`, or as a warning. */
  report(handlers: Handlers<unknown, unknown, unknown>, error: Error, conn?: Connection): void {
    if (handlers.error === undefined) {
      this.#warn(error)
      return
    }
    try {
      const result = handlers.error(error, conn)
      if (result instanceof Promise) result.catch((reason: unknown) => this.#warn(toError(reason)))
    } catch (thrown) {
      this.#warn(toError(thrown))
    }
  }

  #warn(error: Error): void {
    const code = (error as NodeJS.ErrnoException).code ?? error.name
    const now = performance.now()
    const last = this.#warned.get(code)
    if (last !== undefined && now - last < WARNING_INTERVAL) return
    this.#warned.set(code, now)
    process.emitWarning(error)
  }
}
