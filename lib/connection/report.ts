/** Reports the ends and the errors of connections to their handlers. */

import { callHandler } from '../util/call-handler.js'
import type { ErrorReporter } from '../util/error-reporter.js'
import type { AnyHandlers } from './conn-handlers.js'
import type { ConnImpl } from './conn-impl.js'

/**
 * Reports the end of a connection to `close`. Without that handler an error that the user's code threw
 * goes to `error`, since a bug must not stay unseen.
 */
export function reportClosed(
  reporter: ErrorReporter,
  conn: ConnImpl,
  error: Error | undefined,
): void {
  const { handlers } = conn.profile
  if (handlers.close !== undefined) {
    callHandler(
      () => handlers.close?.(conn, error),
      (thrown) => reportError(reporter, handlers, thrown, conn),
    )
  } else if (error !== undefined && conn.isFailed) {
    reportError(reporter, handlers, error, conn)
  }
}

/** Reports an error that belongs to no `close`: to `error`, or as a process warning. */
export function reportError(
  reporter: ErrorReporter,
  handlers: AnyHandlers,
  error: Error,
  conn?: ConnImpl,
): void {
  reporter.report(error, handlers.error && (() => handlers.error?.(error, conn)))
}
