/**
 * What happens when a handler of a connection throws or rejects: that destroys the connection. An error that
 * only says that the connection is ending closes it instead, so that replies still go out.
 */

import { MillraceError, toError } from '../errors.js'
import { isTheEnd, isUsersMistake } from '../util/blame.js'
import { isThenable } from '../util/thenable.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSED, DESTROYED, FAILED } from './flags.js'
import { beginPromise } from './handler-watch.js'

/** Calls a handler, and tracks its promise. */
export function callConnHandler(conn: ConnImpl, handler: () => unknown): void {
  try {
    const result = handler()
    if (isThenable(result)) trackPromise(conn, result)
  } catch (thrown) {
    fail(conn, thrown)
  }
}

/** Tracks a handler's promise: the connection stays until it settles. A rejection is a failure: see `fail`. */
export function trackPromise(conn: ConnImpl, promise: PromiseLike<unknown>): void {
  const late = beginPromise(conn)
  // Wrapped, because a thenable that is not a promise may call back twice, or throw.
  Promise.resolve(promise).then(
    () => conn.promiseSettled(late),
    (reason: unknown) => {
      fail(conn, reason)
      conn.promiseSettled(late)
    },
  )
}

/**
 * Destroys a connection because the user's code threw, or closes it if the error only says that it is ending.
 *
 * @returns the error
 */
export function fail(conn: ConnImpl, thrown: unknown): Error {
  const error = toError(thrown)
  if (conn.cold?.isEnd(error)) {
    conn.close()
    return error
  }
  if (isPeersFault(error)) {
    conn.destroy(error)
    return error
  }
  if (conn.flags & (DESTROYED | CLOSED)) {
    failLate(conn, error)
    return error
  }
  conn.flags |= FAILED
  conn.destroy(error)
  return error
}

/** The user's code threw when the connection had ended anyway: a mistake must not stay unseen for that. */
function failLate(conn: ConnImpl, error: Error): void {
  // It may have waited for another connection that has ended, too.
  if (isTheEnd(error)) return
  const cold = conn.coldState()
  if (conn.flags & CLOSED || cold.error !== undefined) {
    conn.profile.owner.connFailed(conn, error)
    return
  }
  // `close` has not run yet, and tells it.
  conn.flags |= FAILED
  cold.error = error
}

/** Tells whether a peer can cause the error. It is then not a bug of the user's, and worth no warning. */
function isPeersFault(error: Error): boolean {
  try {
    return error instanceof MillraceError && PEERS_FAULTS.has(error.code) && !isUsersMistake(error)
  } catch {
    // A proxy, or a getter that throws.
    return false
  }
}

const PEERS_FAULTS: ReadonlySet<string> = new Set([
  'ERR_FRAME_INVALID',
  'ERR_FRAME_TOO_LARGE',
  'ERR_FRAME_INCOMPLETE',
])
