/** Checks a connection whose input somebody is about to take: a pipe, or a stream. */

import { invalidOption, MillraceError } from '../errors.js'
import { connClosed, connPiped } from '../native/close-error.js'
import type { Conn } from './conn.js'
import { ConnImpl } from './conn-impl.js'
import { CLOSED, ENDED, ENDING, TAKEN } from './flags.js'

/**
 * Returns a connection that can be taken. It may be closing, or closed.
 *
 * @param name names the connection in a message
 * @param use what is done with it, such as `'piped'`
 * @throws `ERR_INVALID_OPTION` if `conn` is not a connection, `ERR_PIPED` if it is taken already, `ERR_CLOSED` if
 *   our half has ended and it is still open, `ERR_UNSUPPORTED` if its framing is not `raw`
 */
export function checkTakable(name: string, conn: Conn, use: string): ConnImpl {
  if (!(conn instanceof ConnImpl)) throw invalidOption(name, 'a connection', conn)
  if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
  if (conn.flags & ENDED && !(conn.flags & ENDING)) throw connClosed()
  if (conn.profile.framing.kind !== 'raw') {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      `only connections with raw framing can be ${use}, not with ${conn.profile.framing.kind}`,
    )
  }
  return conn
}
