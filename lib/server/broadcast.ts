/** Sends one message to many connections. */

import type { Codec } from '../codec/codec.js'
import { encodeFrame } from '../codec/encode.js'
import type { Conn } from '../connection/conn.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import { checkNames } from '../util/checks.js'

/** Whom `broadcast` addresses. */
export interface BroadcastOptions<C> {
  /**
   * Only these. Connections that are closed or belong to another server are passed over. Default: all
   * connections.
   */
  group?: Iterable<C>
  /** All but this one. */
  except?: C
}

const NAMES: ReadonlySet<string> = new Set(['group', 'except'])

/**
 * Writes a message to connections that are open.
 *
 * @param all the connections to address if `options` name no group
 * @param takes tells whether a connection may be addressed at all
 * @returns the number of connections that it was written to
 * @throws `ERR_INVALID_OPTION`, since a misspelt `group` must not reach everybody
 */
export function broadcast(
  all: Iterable<ConnImpl>,
  takes: (conn: ConnImpl) => boolean,
  message: unknown,
  options: BroadcastOptions<Conn>,
): number {
  checkNames(options, NAMES, ' of broadcast')
  const { group = all, except } = options
  /** The message by codec: encoded once for all connections that share one. */
  const encoded = new Map<Codec<unknown, unknown>, Buffer>()
  let count = 0
  for (const conn of group as Iterable<ConnImpl>) {
    if ((conn as Conn) === except || !takes(conn) || conn.readyState !== 'open') continue
    const { codec, codecOf } = conn.profile
    if (codecOf !== undefined || conn.codec !== codec) {
      conn.write(message)
    } else {
      let bytes = encoded.get(codec)
      if (bytes === undefined) {
        bytes = encodeFrame(codec, message)
        encoded.set(codec, bytes)
      }
      conn.writeEncoded(bytes)
    }
    count++
  }
  return count
}
