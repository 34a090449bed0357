/** What happens when a handler of a connection throws or rejects: it destroys that connection. */

import { MillraceError, toError } from '../errors.js'
import { isThenable } from '../util/thenable.js'
import type { ConnImpl } from './conn-impl.js'
import { ENDED, FAILED } from './flags.js'

/** Calls a handler, and tracks its promise. */
export function callConnHandler(conn: ConnImpl, handler: () => unknown): void {
  try {
    const result = handler()
    if (isThenable(result)) trackPromise(conn, result)
  } catch (thrown) {
    fail(conn, thrown)
  }
}

/** Tracks a handler's promise: the connection stays until it settles, and its rejection destroys. */
export function trackPromise(conn: ConnImpl, promise: PromiseLike<unknown>): void {
  conn.pendingPromises++
  // Wrapped, because a thenable that is not a promise may call back twice, or throw.
  Promise.resolve(promise).then(
    () => conn.promiseSettled(),
    (reason: unknown) => {
      fail(conn, reason)
      conn.promiseSettled()
    },
  )
}

/** Destroys a connection because the user's code threw. */
export function fail(conn: ConnImpl, thrown: unknown): Error {
  const error = toError(thrown)
  if (error === conn.cold?.error) {
    // The error that the connection ends with anyway, which a pull has thrown: replies still go out.
    conn.close()
    return error
  }
  if (isOwnEnd(conn, error)) {
    // A handler waited for `drained()` when our half ended: that is an end, not a failure.
    conn.close()
    return error
  }
  if (!isPeersFault(error)) conn.flags |= FAILED
  conn.destroy(error)
  return error
}

/** Tells whether a handler failed because the user has ended the connection meanwhile. */
function isOwnEnd({ flags }: ConnImpl, error: Error): boolean {
  return (flags & ENDED) !== 0 && error instanceof MillraceError && error.code === 'ERR_CLOSED'
}

/** Tells whether a peer can cause the error. It is then not a bug of the user's, and worth no warning. */
function isPeersFault(error: Error): boolean {
  if (!(error instanceof MillraceError)) return false
  const { code } = error
  return (
    code === 'ERR_FRAME_INVALID' ||
    code === 'ERR_FRAME_TOO_LARGE' ||
    code === 'ERR_FRAME_INCOMPLETE'
  )
}
