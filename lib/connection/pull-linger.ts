/** Closes a connection that we have ended and that nobody pulls from any more. */

import { MillraceError } from '../errors.js'
import { now, setTimeout } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { MESSAGE_OUT, PULL_MODE, PULLS_OVER } from './flags.js'

/**
 * Begins to watch the pulls of a connection whose half has just ended: without them its input would never
 * end, and the connection would stay for ever.
 */
export function watchPulls(conn: ConnImpl): void {
  if (!(conn.flags & PULL_MODE) || conn.flags & PULLS_OVER) return
  const cold = conn.coldState()
  cold.lastPull = now()
  watch(conn, conn.profile.lingerTimeout)
}

function watch(conn: ConnImpl, time: number): void {
  const cold = conn.coldState()
  cold.pullTimer = setTimeout(() => look(conn), time)
  // The connection keeps the process alive, unless the user does not want that.
  cold.pullTimer.unref()
}

function look(conn: ConnImpl): void {
  if (conn.flags & PULLS_OVER) return
  const cold = conn.coldState()
  const { lingerTimeout } = conn.profile
  // A handler that pulls may work on a message for longer.
  const isAtWork = conn.flags & MESSAGE_OUT && conn.pendingPromises > 0
  const isPulled = cold.pull !== undefined || isAtWork
  const left = isPulled ? lingerTimeout : cold.lastPull + lingerTimeout - now()
  if (left > 0) {
    watch(conn, left)
    return
  }
  cold.error ??= new MillraceError(
    'ERR_LINGER_TIMEOUT',
    `no message was pulled for ${lingerTimeout} ms after end()`,
  )
  conn.close()
}
