/** Checks the option `loop` of `connect`, which names the loop of a connection. */

import { invalidOption } from '../errors.js'
import type { Loop } from '../runtime/loop.js'
import { ConnImpl } from './conn-impl.js'

/**
 * Returns the loop of a connection.
 *
 * @throws `ERR_INVALID_OPTION` if `conn` is not an open connection
 */
export function checkLoop(conn: unknown): Loop | undefined {
  if (conn === undefined) return undefined
  if (!(conn instanceof ConnImpl) || conn.readyState === 'closed')
    throw invalidOption('loop', 'an open connection', conn)
  return conn.eventLoop
}
