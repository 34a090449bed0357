/** The public options of `connect` for streams. */

import type { Address } from '../address/address.js'
import type { FrameData } from '../codec/frame-data.js'
import type { Conn } from '../connection/conn.js'
import type { Handlers } from '../connection/conn-handlers.js'
import type { ConnOptions } from '../connection/conn-options.js'
import type { Server } from '../server/server.js'
import type { Client } from './client.js'

/**
 * The options and handlers that both kinds of `connect` for streams take: {@link ConnectOptions} makes one
 * connection, {@link ReconnectingOptions} a client that connects again.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns for each connection
 * @example
 * ```ts
 * const base: ConnectBaseOptions = {
 *   to: 9000,
 *   timeout: 5_000,
 *   message: (conn, chunk) => conn.write(chunk),
 * }
 * const conn = await connect(base)
 * const client = await connect({ ...base, reconnect: true })
 * ```
 */
export interface ConnectBaseOptions<In = Buffer, Out = FrameData, Context = undefined>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out> {
  /**
   * What to connect to: a port of this machine (`9000`), a host and a port
   * (`{ host: 'example.org', port: 9000 }`), a Unix socket (`{ path: '/run/my.sock' }`), or a URL
   * (`tcp://127.0.0.1:9000`, `unix:///run/my.sock`); see {@link Address}. All addresses of a name are
   * tried.
   */
  to: Address
  /**
   * The event loops to choose from; the loop with the fewest connections is used. A number from 1 to 128
   * starts so many loops for this call alone, each with a thread. `'inline'` runs one loop on Node's own
   * event loop, without a thread. A server shares its loops. Default: the loops that everything in this
   * JavaScript environment shares.
   */
  loops?: number | 'inline' | Server | undefined
  /** A connection, which has to be open. The new connection uses the same loop. Not together with `loops`. */
  loop?: Conn | undefined
  /**
   * The most milliseconds that connecting may take, including the look-up of a name. After that
   * connecting fails with `ERR_CONNECT_TIMEOUT`. With `reconnect` the limit holds for each attempt.
   * Default: no limit of our own, but the system's.
   */
  timeout?: number | undefined
  /**
   * Stops connecting when it aborts: the promise rejects with the signal's reason. Once connected, an
   * abort destroys the connection.
   */
  signal?: AbortSignal | undefined
  /**
   * An IP address of this machine to connect from, with or without a port: `10.0.0.7`,
   * `[fe80::1%eth0]:4000`. If `to` is a name, only its addresses of the same family are tried. Not for
   * Unix sockets. Default: the system chooses.
   */
  localAddress?: string | undefined
  /**
   * The network interface to use, such as `eth0`, whatever the system's routes are. TCP on Linux; some
   * kernels require `CAP_NET_RAW`.
   */
  bindToDevice?: string | undefined
  /**
   * Whether to send the first bytes with the SYN (TCP fast open), if the peer has allowed this machine to
   * do so before. `connect` then resolves at once, and the first write connects; if the peer is gone, the
   * connection closes with the error. For protocols in which the client speaks first. TCP on Linux.
   * Default false.
   */
  fastOpen?: boolean | undefined
  /**
   * The size in bytes of each of a loop's two rings: a power of two from 4 KiB to 1 GiB. Only if `loops`
   * is a number or `'inline'`. Default 1 MiB.
   */
  ringBytes?: number | undefined
}

/**
 * The options and handlers of `connect` for one connection. `to` is required.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * const options: ConnectOptions = {
 *   to: { host: 'example.org', port: 9000 },
 *   timeout: 5_000,
 *   message: (conn, chunk) => conn.write(chunk),
 * }
 * const conn = await connect(options)
 * ```
 */
export interface ConnectOptions<In = Buffer, Out = FrameData, Context = undefined>
  extends ConnectBaseOptions<In, Out, Context> {
  /** `false` or left out makes one connection. Other values are for {@link ReconnectingOptions}. */
  reconnect?: false | undefined
}

/**
 * The options and handlers of `connect` for a client that connects again. `to` and `reconnect` are
 * required.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns for each connection
 * @example
 * ```ts
 * const options: ReconnectingOptions = {
 *   to: 9000,
 *   reconnect: { max: 5_000 },
 *   state: (client) => console.log(client.state, client.nextAttemptAt),
 *   message: (conn, chunk) => conn.write(chunk),
 * }
 * const client = await connect(options)
 * ```
 */
export interface ReconnectingOptions<In = Buffer, Out = FrameData, Context = undefined>
  extends ConnectBaseOptions<In, Out, Context> {
  /** Connects again when connecting fails, or when a connection is lost. `true` uses the defaults. */
  reconnect: true | ReconnectOptions
  /**
   * What `client.write` does while there is no connection. `'queue'` encodes the message at once, keeps
   * the bytes, and sends them when there is a connection. `'refuse'` returns `false`. Default `'queue'`. If
   * `codec` is a function, only `'refuse'` is possible, because a message is encoded for one connection.
   */
  offline?: 'queue' | 'refuse' | undefined
  /**
   * The most bytes that may wait for a connection. Over it `client.write` throws
   * `ERR_WRITE_BUFFER_FULL`. At most `maxWriteBuffer`. Default 1 MiB, or `maxWriteBuffer` if that is less.
   */
  maxOffline?: number | undefined
  /**
   * Runs after each change of `client.state`. If a connection was lost, it runs before the connection's
   * `close` handler.
   */
  state?(client: Client<In, Out, Context>): void
}

/**
 * When a client connects again, and when it gives up.
 *
 * @example
 * ```ts
 * const reconnect: ReconnectOptions = { min: 500, max: 10_000, attempts: 20 }
 * const client = await connect({ to: 9000, reconnect, message: (conn, chunk) => conn.write(chunk) })
 * ```
 */
export interface ReconnectOptions {
  /**
   * Milliseconds before the first attempt after a failure or a lost connection, 1 or more. Default 100, or `max` if
   * that is less.
   */
  min?: number | undefined
  /** The longest wait in milliseconds, 1 or more, and not less than `min`. Default 30,000, or `min` if that is more. */
  max?: number | undefined
  /** What the wait is multiplied by after each further failure in a row, from 1 to 1,000. Default 2. */
  factor?: number | undefined
  /**
   * The part of each wait that is random, from 0 to 1, so that clients do not all connect at the same
   * time. Default 0.5.
   */
  jitter?: number | undefined
  /**
   * The number of failures in a row after which the client gives up, 1 or more. A connection counts as a failure too
   * if it lasted less than the wait before it (at least `min`), or, if nothing was received, less than
   * `max`. Default `Infinity`.
   */
  attempts?: number | undefined
}
