/** Makes `conn.context`. */

import { isThenable, refusePromise } from '../util/thenable.js'
import type { AnyHandlers } from './conn-handlers.js'
import type { Peer } from './peer.js'

/**
 * Calls the handler `context`, if there is one.
 *
 * @throws what the handler throws, or `ERR_CONTEXT_ASYNC` if it returns a promise
 */
export function makeContext({ context }: AnyHandlers, peer: Peer): unknown {
  const made: unknown = context?.(peer)
  if (isThenable(made)) throw refusePromise(made, 'ERR_CONTEXT_ASYNC', 'context')
  return made
}
