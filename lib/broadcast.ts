/** One message to many connections. */

import type { Codec } from './codec.js'
import type { Connection } from './connection.js'
import { encodeFrame } from './framing.js'

/** Whom a `broadcast` addresses. */
export interface BroadcastOptions<C> {
  /** Only these; connections of another server or closed ones are passed over. Default all. */
  group?: Iterable<C>
  /** Not this one. */
  except?: C
}

/** Writes a message to each of them that is open and that `takes` says is meant; how many those were. */
export function broadcast(
  conns: Iterable<Connection>,
  takes: (conn: Connection) => boolean,
  message: unknown,
): number {
  /** Encoded once for all that share a codec. */
  const encoded = new Map<Codec<unknown, unknown>, Buffer>()
  let count = 0
  for (const conn of conns) {
    if (!takes(conn) || conn.readyState !== 'open') continue
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
