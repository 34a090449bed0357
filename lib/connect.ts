/** Connects to others. */

import type { Client } from './client/client.js'
import { ClientImpl } from './client/client-impl.js'
import { Dialer } from './client/dialer.js'
import {
  type ConnectOptions,
  type ConnectSettings,
  checkClient,
  checkConnect,
  type ReconnectingOptions,
  reconnects,
} from './client/options.js'
import type { Conn } from './connection/conn.js'
import type { ConnImpl } from './connection/conn-impl.js'
import type { Handlers } from './connection/handlers.js'
import {
  type ConnectDatagramOptions,
  connectDatagrams,
  isDatagram,
} from './datagram/connect-datagrams.js'
import type { ConnectedSocket } from './datagram/datagram-socket.js'
import { type Group, groupFor } from './runtime/group.js'
import { ServerImpl } from './server/server.js'

type AnyOptions = ConnectOptions<never, never, never> | ReconnectingOptions<never, never, never>
type AnyHandlers = Handlers<unknown, unknown, unknown>

/**
 * Makes a datagram socket that has one peer. Nothing is sent: whether anybody is there, the first
 * datagrams show.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_CONNECT_TIMEOUT`; the resolver's error
 *   (`ENOTFOUND`) or the system's (`ENETUNREACH`); the reason of `signal`
 */
export function connect<In = Buffer, Out = Uint8Array | string>(
  options: ConnectDatagramOptions<In, Out>,
): Promise<ConnectedSocket<In, Out>>
/**
 * Connects, and connects again whenever that fails or the connection is lost, as `reconnect` says.
 *
 * @returns a client, once it is connected for the first time
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`; the last error of connecting once
 *   `reconnect.attempts` have failed; the reason of `signal`
 */
export function connect<In = Buffer, Out = Uint8Array | string, Context = undefined>(
  options: ReconnectingOptions<In, Out, Context>,
): Promise<Client<In, Out, Context>>
/**
 * Connects to a TCP or Unix socket.
 *
 * @returns the connection, once it is there and `open` ran (whose promise, if it returns one, is not
 *   awaited). Without a `message` handler nothing is read until a message is pulled.
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_CONNECT_TIMEOUT`; the resolver's error
 *   (`ENOTFOUND`) or the system's (`ECONNREFUSED`); the reason of `signal`; what `open` threw. Where
 *   several addresses of a name were tried it is the error of the first, and its `cause` an
 *   `AggregateError` of all.
 */
export function connect<In = Buffer, Out = Uint8Array | string, Context = undefined>(
  options: ConnectOptions<In, Out, Context>,
): Promise<Conn<In, Out, Context>>
export async function connect(given: unknown): Promise<unknown> {
  if (isDatagram(given)) return connectDatagrams(given)
  const options = given as AnyOptions
  const settings = checkConnect(options)
  const handlers = options as unknown as AnyHandlers
  if (reconnects(options)) {
    const client = new ClientImpl(settings, checkClient(options, settings), options, () =>
      groupOf(options, settings),
    )
    return client.start()
  }
  settings.signal?.throwIfAborted()
  const group = groupOf(options, settings)
  try {
    return await once(settings, handlers, group)
  } finally {
    group.leaveSoon()
  }
}

/** The loops to use, joined. */
function groupOf(options: AnyOptions, { loop }: ConnectSettings): Group {
  return groupFor(loop ?? options.loops, options.ringBytes, (owner) => {
    if (owner === loop) return loop?.group
    return owner instanceof ServerImpl ? owner.group : undefined
  })
}

/** Makes one connection. */
function once(settings: ConnectSettings, handlers: AnyHandlers, group: Group): Promise<ConnImpl> {
  return new Promise((resolve, reject) => {
    const life = {
      opened(conn: ConnImpl, thrown: Error | undefined) {
        if (thrown === undefined) resolve(conn)
        else reject(thrown)
        return true
      },
      ended() {},
      failed: reject,
    }
    new Dialer(settings, handlers, group, life).start()
  })
}
