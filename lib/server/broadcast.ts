/** Sends one message to many connections. */

import type { Codec } from '../codec/codec.js'
import { encodeFrame } from '../codec/encode.js'
import type { Conn } from '../connection/conn.js'
import { ConnImpl } from '../connection/conn-impl.js'
import { invalidOption } from '../errors.js'
import { checkNames } from '../util/checks.js'

/**
 * Which connections `broadcast` writes to. Default: all connections.
 *
 * @typeParam C the connections
 * @example
 * ```ts
 * const room = new Set<Conn>()
 * const options: BroadcastOptions<Conn> = { group: room }
 * server.broadcast('hello', options)
 * ```
 */
export interface BroadcastOptions<C> {
  /**
   * The connections to write to. Connections that are closed, or that belong to another server, are
   * skipped. Default: all connections. `group: undefined` is refused, because a group that was not found must not
   * become everybody.
   */
  group?: Iterable<C>
  /** A connection to leave out, such as the sender of the message. */
  except?: C | undefined
}

const BROADCAST_NAMES: ReadonlySet<string> = new Set(['group', 'except'])

/**
 * Writes a message to all connections that are open, or to the open connections of a group.
 *
 * @param all the connections to write to if `options` has no group
 * @param mayReceive returns whether a connection may be written to at all
 * @returns the number of connections that the message was written to
 * @throws `ERR_INVALID_OPTION`; whatever `encode` or the framing throws
 */
export function broadcast(
  all: Iterable<ConnImpl>,
  mayReceive: (conn: ConnImpl) => boolean,
  message: unknown,
  options: BroadcastOptions<Conn>,
): number {
  // A misspelt `group` must not reach everybody.
  checkNames(options, BROADCAST_NAMES, ' of broadcast')
  const { group, except } = options
  if (except !== undefined && !(except instanceof ConnImpl))
    throw invalidOption('except', 'a connection', except)
  // A group that the options inherit, as from a class, counts too.
  const receivers = 'group' in options ? checkGroup(group) : all
  /** The encoded message by codec: connections that share a codec share the bytes. */
  const encoded = new Map<Codec<unknown, unknown>, Buffer>()
  let count = 0
  for (const conn of receivers) {
    if (!(conn instanceof ConnImpl)) throw invalidOption('group', 'connections only', conn)
    if ((conn as Conn) === except || !mayReceive(conn)) continue
    if (conn.readyState !== 'open' || !conn.isWritable) continue
    const { codec, codecOf, framing } = conn.profile
    if (codecOf !== undefined || conn.codec !== codec) {
      conn.write(message)
    } else {
      let bytes = encoded.get(codec)
      if (bytes === undefined) {
        bytes = encodeFrame(codec, message, undefined, framing)
        encoded.set(codec, bytes)
      }
      conn.writeEncoded(bytes)
    }
    count++
  }
  return count
}

function checkGroup(group: unknown): Iterable<unknown> {
  const { [Symbol.iterator]: iterate } = Object(group) as Partial<Iterable<unknown>>
  if (typeof iterate !== 'function' || typeof group === 'string')
    throw invalidOption('group', 'an iterable of connections', group)
  return group as Iterable<unknown>
}
