/** Where errors go: to `close`, to `error`, or to the process's warnings. */

import { toError } from '../errors.js'
import { Warnings } from '../util/warnings.js'
import type { ConnImpl } from './conn-impl.js'
import type { Handlers } from './handlers.js'
import { isThenable } from './writing.js'

/** Tells errors that belong to no `close`. */
export class Reporter {
  readonly #warnings = new Warnings()

  /** Tells the end of a connection. An error that its user's code threw does not go unseen. */
  closed(conn: ConnImpl, error: Error | undefined): void {
    const { handlers } = conn.profile
    if (handlers.close !== undefined) {
      this.run(handlers, () => handlers.close?.(conn, error), conn)
    } else if (error !== undefined && conn.isFailed) {
      this.report(handlers, error, conn)
    }
  }

  /** Calls a handler whose failure ends nothing, and tells that. */
  run(
    handlers: Handlers<unknown, unknown, unknown>,
    handler: () => unknown,
    conn?: ConnImpl,
  ): void {
    try {
      const result = handler()
      if (isThenable(result))
        result.then(undefined, (reason: unknown) => this.report(handlers, toError(reason), conn))
    } catch (thrown) {
      this.report(handlers, toError(thrown), conn)
    }
  }

  /** Tells what no `close` tells: to `error`, or as a warning. */
  report(handlers: Handlers<unknown, unknown, unknown>, error: Error, conn?: ConnImpl): void {
    if (handlers.error === undefined) {
      this.#warnings.warn(error)
      return
    }
    try {
      const result = handlers.error(error, conn)
      if (isThenable(result))
        result.then(undefined, (reason: unknown) => this.#warnings.warn(toError(reason)))
    } catch (thrown) {
      this.#warnings.warn(toError(thrown))
    }
  }
}
