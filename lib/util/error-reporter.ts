/** Reports errors to the user's `error` handler, or as process warnings. */

import { callHandler } from './call-handler.js'
import { now } from './timers.js'

/** Milliseconds between two warnings with the same code. */
const WARNING_INTERVAL = 1000

/** Reports the errors of one server, client or datagram socket. */
export class ErrorReporter {
  readonly #lastWarnings = new Map<string, number>()

  /**
   * Reports an error. Without a handler the error becomes a process warning. So does what the handler
   * itself throws.
   *
   * @param handler calls the user's `error` handler. Undefined if there is none
   */
  report(error: Error, handler: (() => unknown) | undefined): void {
    if (handler === undefined) this.#warn(error)
    else callHandler(handler, (thrown) => this.#warn(thrown))
  }

  /** Emits a warning: at most one a second for each code. */
  #warn(reported: Error): void {
    const error = legible(reported)
    const code = (error as NodeJS.ErrnoException).code ?? error.name
    const at = now()
    const last = this.#lastWarnings.get(code)
    if (last !== undefined && at - last < WARNING_INTERVAL) return
    this.#lastWarnings.set(code, at)
    process.emitWarning(error)
  }
}

/** Returns the error, or another one in its place if Node could not print it, because a getter throws, say. */
export function legible(error: Error): Error {
  try {
    const { name, message, stack, code } = error as NodeJS.ErrnoException
    const isShown = (each: unknown) => each === undefined || /^(string|number)$/.test(typeof each)
    if ([name, message, stack, code].every(isShown)) return error
  } catch {}
  return new Error('an error was thrown that cannot be shown', { cause: error })
}
