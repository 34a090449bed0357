/** Checks the option `loop` of `connect`, which names the loop of a connection. */

import { invalidOption, MillraceError } from '../errors.js'
import type { Loop } from '../runtime/loop.js'
import { tellsEnd } from '../util/blame.js'
import { ConnImpl } from './conn-impl.js'

/**
 * Returns the loop of a connection.
 *
 * @throws `ERR_INVALID_OPTION` if `conn` is not a connection; `ERR_CLOSED` if it is closed
 */
export function checkLoop(conn: unknown): Loop | undefined {
  if (conn === undefined) return undefined
  if (!(conn instanceof ConnImpl)) throw invalidOption('loop', 'an open connection', conn)
  if (conn.readyState === 'closed')
    throw tellsEnd(new MillraceError('ERR_CLOSED', 'the connection that loop names is closed'))
  return conn.eventLoop
}
