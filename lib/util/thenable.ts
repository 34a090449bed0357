/** Recognises promises, and refuses them where user code has to be synchronous. */

import { type ErrorCode, MillraceError } from '../errors.js'

/** Returns whether a value is a promise, or anything else with a `then` method. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    // Messages are often bytes, and looking up a property that they lack costs more than this check.
    !ArrayBuffer.isView(value) &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}

/**
 * Refuses a promise where user code has to be synchronous.
 *
 * @param what the function that returned it, as the message names it
 */
export function refusePromise(
  promise: PromiseLike<unknown>,
  code: ErrorCode,
  what: string,
): MillraceError {
  // The promise may still reject, and nobody else will handle that.
  promise.then(undefined, () => {})
  return new MillraceError(code, `${what} returned a promise; it has to be synchronous`)
}
