/** Reports errors to the user's `error` handler, or as process warnings. */

import { callHandler } from './call-handler.js'
import { now } from './timers.js'

/** Milliseconds between two warnings with the same code. */
const WARNING_INTERVAL = 1000
/** How many codes are told apart within that time. A peer may choose the code, if the user makes errors of what it sends. */
const MAX_CODES = 16
/** Stands for all other codes. */
const OTHERS = Symbol('other codes')

/** Reports the errors of one server, client or datagram socket. */
export class ErrorReporter {
  /** When there last was a warning with a code, the oldest first. */
  readonly #lastWarnings = new Map<string | symbol, number>()

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

  /** Emits a warning: at most one a second for each of up to 16 codes, and one for all others. */
  #warn(reported: Error): void {
    const error = legible(reported)
    const code = (error as NodeJS.ErrnoException).code ?? error.name
    const at = now()
    this.#forget(at)
    const warnings = this.#lastWarnings
    const key = warnings.has(code) || warnings.size < MAX_CODES ? code : OTHERS
    if (warnings.has(key)) return
    warnings.set(key, at)
    process.emitWarning(error)
  }

  /** Forgets the warnings after which there may be another one with their code. */
  #forget(at: number): void {
    for (const [key, last] of this.#lastWarnings) {
      if (at - last < WARNING_INTERVAL) return
      this.#lastWarnings.delete(key)
    }
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
