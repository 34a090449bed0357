/** One message to many connections. */

import type { Codec } from '../codec/codec.js'
import { encodeFrame } from '../codec/framing.js'
import type { Conn } from '../connection/conn.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import { checkNames } from '../util/checks.js'

/** Whom a `broadcast` addresses. */
export interface BroadcastOptions<C> {
  /** Only these; connections of another server or closed ones are passed over. Default all. */
  group?: Iterable<C>
  /** Not this one. */
  except?: C
}

const NAMES: ReadonlySet<string> = new Set(['group', 'except'])

/**
 * Writes a message to each connection that is open and that `takes` says is meant; how many those were.
 *
 * @param all who is addressed where `options` name no group
 * @throws `ERR_INVALID_OPTION`: a misspelt `group` must not reach everybody
 */
export function broadcast(
  all: Iterable<ConnImpl>,
  takes: (conn: ConnImpl) => boolean,
  message: unknown,
  options: BroadcastOptions<Conn<unknown, unknown, unknown>>,
): number {
  checkNames(options, NAMES, ' of broadcast')
  const { group = all, except } = options
  /** Encoded once for all that share a codec. */
  const encoded = new Map<Codec<unknown, unknown>, Buffer>()
  let count = 0
  for (const conn of group as Iterable<ConnImpl>) {
    if (conn === except || !takes(conn) || conn.readyState !== 'open') continue
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
