/** Replaces the codec of a connection while it is open. */

import { checkCodec } from '../codec/codec.js'
import { MillraceError } from '../errors.js'
import { connPiped } from '../native/close-error.js'
import { clearTimeout } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSED, ENDING, INPUT_DONE, PULL_MODE, STREAM_BROKEN, TAKEN } from './flags.js'

/** See `Conn.codec`. */
export function setCodec(conn: ConnImpl, next: unknown): void {
  if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
  const codec = checkCodec(next)
  if (conn.profile.framing.kind !== 'raw' || codec.framing.kind !== 'raw') {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'a codec can be replaced only if both the old one and the new one have raw framing',
    )
  }
  conn.currentCodec = codec
  offerUnread(conn)
}

/**
 * Lets the new codec look at what the last one has left unread. Not at once: a handler or a `decode` may be running, and
 * if that is in the middle of these bytes, it has them looked at itself.
 */
function offerUnread(conn: ConnImpl): void {
  const { cold } = conn
  if (cold?.unread === undefined || cold.unread.length === 0 || conn.flags & ENDING) return
  cold.isUnreadFresh = true
  if (conn.flags & INPUT_DONE) reopenInput(conn)
  if (conn.flags & PULL_MODE) cold.wakePull()
  else conn.eventLoop.environment.pump.resume(conn)
}

/** The end of the input does not count any more, because the bytes before it become messages after all. */
function reopenInput(conn: ConnImpl): void {
  const { cold } = conn
  if (cold !== undefined) {
    if (conn.flags & STREAM_BROKEN) cold.error = undefined
    clearTimeout(cold.handlerTimer)
    cold.handlerTimer = undefined
  }
  conn.flags &= ~(INPUT_DONE | STREAM_BROKEN)
}
