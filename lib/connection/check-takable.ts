/** Checks a connection whose input somebody is about to take: a pipe, or a stream. */

import { invalidOption } from '../errors.js'
import { connPiped, connSendsFile } from '../native/close-error.js'
import type { Conn } from './conn.js'
import { ConnImpl } from './conn-impl.js'
import { CLOSED, ENDED, ENDING, SENDING_FILE, TAKEN } from './flags.js'

/**
 * Returns a connection that can be taken. It may be closing, or closed.
 *
 * @param name names the connection in a message
 * @throws `ERR_INVALID_OPTION` if `conn` is not a connection, `ERR_PIPED` if it is taken already or sends a file,
 *   `ERR_CLOSED` if our half has ended and it is still open
 */
export function checkTakable(name: string, conn: Conn): ConnImpl {
  if (!(conn instanceof ConnImpl)) throw invalidOption(name, 'a connection', conn)
  if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
  if (conn.flags & SENDING_FILE) throw connSendsFile()
  if (conn.flags & ENDED && !(conn.flags & ENDING)) throw conn.coldState().closedError()
  return conn
}
