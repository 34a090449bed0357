/** Ends a connection once its peer has ended and everything received is dealt with. */

import { MillraceError } from '../errors.js'
import { closeError } from '../native/close-error.js'
import { REASON_DRAINING, REASON_NONE } from '../native/record.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSED, DESTROYED, DRAINING, ENDED, EOF, MESSAGE_OUT, PAUSED, PULL_MODE } from './flags.js'

/** The loop will send no more input. */
export function inputEnded(conn: ConnImpl, reason: number): void {
  if (conn.flags & (DESTROYED | CLOSED)) return
  conn.flags |= EOF
  if (reason === REASON_DRAINING) conn.flags |= DRAINING
  else if (reason !== REASON_NONE)
    conn.coldState().error ??= closeError(reason, 0, conn.profile.maxFrame)
  conn.cold?.wakePull()
  settleInput(conn)
}

/** A promise of a handler has settled. */
export function promiseSettled(conn: ConnImpl): void {
  conn.pendingPromises--
  if (conn.flags & EOF) settleInput(conn)
}

/** After the peer's end: ends the connection if all input is delivered and all promises are settled. */
export function settleInput(conn: ConnImpl): void {
  const { flags, cold } = conn
  if (!(flags & EOF) || flags & (ENDED | DESTROYED | CLOSED | PAUSED)) return
  if (conn.pendingPromises > 0 || flags & MESSAGE_OUT || (cold?.parked?.count ?? 0) > 0) return
  const unread = cold?.unread?.length ?? 0
  // There may be messages in it that nobody has pulled yet.
  if (unread > 0 && flags & PULL_MODE && cold?.isUnreadFresh) return
  if (cold !== undefined && unread > 0 && !(flags & DRAINING)) {
    // The stream was cut in the middle of a message. Replies still go out.
    cold.error ??= new MillraceError(
      'ERR_FRAME_INCOMPLETE',
      'the stream ended in the middle of a message',
    )
    cold.unread = undefined
  }
  if (conn.profile.allowHalfOpen && !(flags & DRAINING) && cold?.error === undefined) return
  conn.end()
}
