/** Watches how long promises of handlers take after the end of the input: the limit `timeouts.handler`. */

import { MillraceError } from '../errors.js'
import { clearTimeout, now, setTimeout } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { ENDING, INPUT_DONE, SENDING_FILE, TAKEN } from './flags.js'
import { limitsOf } from './limits.js'

/** A promise that came after the end of the input, and has a time of its own. */
export interface LatePromise {
  /** When its time began, as `performance.now()`. */
  since: number
}

/** Counts a promise for which the connection stays open. To be settled with what is returned. */
export function beginPromise(conn: ConnImpl): LatePromise | undefined {
  conn.pendingPromises++
  if (!(conn.flags & INPUT_DONE)) return undefined
  const cold = conn.coldState()
  const late = { since: now() }
  // The handler `end` runs, before the time of the others begins.
  if (cold.inputDoneAt === 0) cold.inputDoneAt = late.since
  cold.latePromises ??= new Set()
  cold.latePromises.add(late)
  if (cold.handlerTimer === undefined) look(conn)
  return late
}

/** Begins the time of all promises that have not settled. */
export function watchHandlers(conn: ConnImpl): void {
  if (!(conn.flags & INPUT_DONE) || conn.pendingPromises === 0) return
  const cold = conn.coldState()
  cold.inputDoneAt = now()
  for (const late of cold.latePromises ?? []) late.since = cold.inputDoneAt
  clearTimeout(cold.handlerTimer)
  look(conn)
}

/** Ends the connection if the time of a promise is over; looks again when the next one may be. */
function look(conn: ConnImpl): void {
  const cold = conn.coldState()
  cold.handlerTimer = undefined
  const { handler } = limitsOf(conn)
  if (handler === 0 || conn.pendingPromises === 0 || conn.flags & (TAKEN | ENDING)) return
  const left = oldest(conn) + handler - now()
  if (left > 0) {
    // The connection keeps the process alive, unless the user does not want that.
    cold.handlerTimer = setTimeout(() => look(conn), Math.ceil(left)).unref()
    return
  }
  const error = new MillraceError(
    'ERR_HANDLER_TIMEOUT',
    `promises of handlers have not settled within ${handler} ms after the end of the input`,
  )
  // In the middle of a file, the peer must not take what it has for all.
  if (conn.flags & SENDING_FILE) {
    conn.reset(error)
    return
  }
  cold.error ??= error
  conn.close()
}

/** When the oldest time began. Late promises are in the order in which they came. */
function oldest({ cold, pendingPromises }: ConnImpl): number {
  const [first] = cold?.latePromises ?? []
  const hasEarly = pendingPromises > (cold?.latePromises?.size ?? 0)
  return hasEarly || first === undefined ? (cold?.inputDoneAt ?? 0) : first.since
}
