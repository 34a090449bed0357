/** Connects to servers. */

import {
  type ConnectSettings,
  checkClient,
  checkConnect,
  reconnects,
} from './client/check-connect.js'
import type { Client } from './client/client.js'
import { ClientImpl } from './client/client-impl.js'
import type { ConnectOptions, ReconnectingOptions } from './client/connect-options.js'
import { Dialer } from './client/dialer.js'
import type { FrameData } from './codec/frame-data.js'
import type { Conn } from './connection/conn.js'
import type { AnyHandlers } from './connection/conn-handlers.js'
import type { ConnImpl } from './connection/conn-impl.js'
import type { ConnOptions } from './connection/conn-options.js'
import type { ConnectDatagramOptions } from './datagram/connect-datagram-options.js'
import { connectDatagrams, isDatagram } from './datagram/connect-datagrams.js'
import type { ConnectedDatagramSocket } from './datagram/datagram-socket.js'
import { joinGroup } from './runtime/choose-group.js'
import type { Group } from './runtime/group.js'

// In the types of the options, `& ConnOptions` and `& Pick` add nothing. Without them TypeScript infers no
// messages from `codec` when `to` is missing, and then complains about the codec instead. The last form is
// the one whose errors TypeScript shows, so it takes what the two before it take.
type AnyOptions = ConnectOptions<never, never, never> | ReconnectingOptions<never, never, never>

/**
 * Opens a datagram socket with one peer. Nothing is sent, so only the first datagrams show whether the peer
 * is there.
 *
 * @param options the peer (`to: 'udp://…'`), the codec, the handlers, and all other options
 * @returns the socket
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_CONNECT_TIMEOUT`; the resolver's error, such as
 *   `ENOTFOUND`, or the system's, such as `ENETUNREACH`; the reason of `signal`
 * @example
 * ```ts
 * const socket = await connect({ to: 'udp://127.0.0.1:9000', message: (_, bytes) => console.log(bytes) })
 * socket.send('ping')
 * ```
 */
export function connect<In = Buffer, Out = FrameData>(
  options: ConnectDatagramOptions<In, Out> & Pick<ConnectDatagramOptions<In, Out>, 'codec'>,
): Promise<ConnectedDatagramSocket<In, Out>>
/**
 * Makes a client that connects, and that connects again whenever connecting fails or the connection is
 * lost.
 *
 * @param options the peer, how to `reconnect`, the codec, the handlers, and all other options
 * @returns the client, once it is connected for the first time
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`; the last error of connecting, once
 *   `reconnect.attempts` have failed; the reason of `signal`
 * @example
 * ```ts
 * const client = await connect({
 *   to: 9000,
 *   reconnect: { attempts: 10 },
 *   message: (conn, chunk) => conn.write(chunk),
 * })
 * ```
 */
export function connect<In = Buffer, Out = FrameData, Context = undefined>(
  options: ReconnectingOptions<In, Out, Context> & ConnOptions<In, Out>,
): Promise<Client<In, Out, Context>>
/**
 * Connects to a TCP or Unix socket.
 *
 * Without a `message` handler nothing is read until a message is pulled.
 *
 * @param options the peer, the codec, the handlers, and all other options
 * @returns the connection, once it is open and the handler `open` has run. A promise that `open` returns is
 *   not awaited
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_CONNECT_TIMEOUT`; the resolver's error, such as
 *   `ENOTFOUND`, or the system's, such as `ECONNREFUSED`; the reason of `signal`; what `open` threw. If
 *   several addresses of a name were tried, the error is that of the first one, and its `cause` is an
 *   `AggregateError` of all
 * @example
 * ```ts
 * const conn = await connect({ to: 'tcp://127.0.0.1:9000', codec: line() })
 * conn.write('ping')
 * for await (const reply of conn) console.log(reply.toString())
 * ```
 */
export function connect<In = Buffer, Out = FrameData, Context = undefined>(
  options: ConnectOptions<In, Out, Context> & ConnOptions<In, Out>,
): Promise<Conn<In, Out, Context>>
/**
 * Connects to a TCP or Unix socket, if only the value of `reconnect` decides whether the result is a
 * connection or a client. TypeScript also names this form when the options are wrong.
 *
 * @param options the peer, the codec, the handlers, and everything else
 * @returns a client if `reconnect` is set, otherwise a connection
 * @throws as the other forms do
 * @example
 * ```ts
 * const isDaemon: boolean = process.argv.includes('--daemon')
 * const connOrClient = await connect({ to: 9000, reconnect: isDaemon, message: () => {} })
 * connOrClient.write('hello')
 * ```
 */
export function connect<In = Buffer, Out = FrameData, Context = undefined>(
  options: (ConnectOptions<In, Out, Context> | ReconnectingOptions<In, Out, Context>) &
    ConnOptions<In, Out>,
): Promise<Conn<In, Out, Context> | Client<In, Out, Context>>
export async function connect(anyOptions: unknown): Promise<unknown> {
  if (isDatagram(anyOptions)) return connectDatagrams(anyOptions)
  const options = anyOptions as AnyOptions
  const settings = checkConnect(options)
  const handlers = options as unknown as AnyHandlers
  if (reconnects(options)) {
    const client = new ClientImpl(settings, checkClient(options, settings), options, () =>
      joinGroup(options.loops, options.ringBytes, settings.loop),
    )
    return client.start()
  }
  settings.signal?.throwIfAborted()
  const group = joinGroup(options.loops, options.ringBytes, settings.loop)
  try {
    return await connectOnce(settings, handlers, group)
  } finally {
    group.leaveSoon()
  }
}

/** Makes one connection. Rejects if connecting fails, or if `context` or `open` throws. */
function connectOnce(
  settings: ConnectSettings,
  handlers: AnyHandlers,
  group: Group,
): Promise<ConnImpl> {
  return new Promise((resolve, reject) => {
    const observer = {
      opened(conn: ConnImpl, thrown: Error | undefined) {
        if (thrown === undefined) resolve(conn)
        else reject(thrown)
        return true
      },
      ended() {},
      failed: reject,
    }
    new Dialer(settings, handlers, group, observer).start()
  })
}
