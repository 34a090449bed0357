/** Where errors go: to `close`, to `error`, or to the process's warnings. */

import type { Connection } from './connection.js'
import { toError } from './errors.js'
import type { Handlers } from './handlers.js'
import { Warnings } from './warnings.js'

/** Tells errors that belong to no `close`. */
export class Reporter {
  readonly #warnings = new Warnings()

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
      this.#warnings.warn(error)
      return
    }
    try {
      const result = handlers.error(error, conn)
      if (result instanceof Promise)
        result.catch((reason: unknown) => this.#warnings.warn(toError(reason)))
    } catch (thrown) {
      this.#warnings.warn(toError(thrown))
    }
  }
}
