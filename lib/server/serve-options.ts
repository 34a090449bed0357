/** The public options of `serve`. */

import type { FrameData } from '../codec/frame-data.js'
import type { Handlers } from '../connection/conn-handlers.js'
import type { ConnOptions } from '../connection/conn-options.js'
import type { ListenerOptions } from '../socket/socket-options.js'
import type { Listen } from './listen-entry.js'
import type { ProxyProtocolOptions } from './proxy-protocol.js'
import type { Server } from './server.js'

/**
 * How a server spreads new connections over its loops: `'round-robin'` takes the loops in turn,
 * `'source-hash'` keeps all connections of one IP address on one loop, and `'least-connections'` takes
 * the loop that has the fewest connections at that moment.
 *
 * @example
 * ```ts
 * await serve({ listen: 9000, loops: 4, balance: 'least-connections' })
 * ```
 */
export type Balance = 'round-robin' | 'source-hash' | 'least-connections'

/**
 * The options and handlers of `serve`. `listen` is required.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * const options: ServeOptions = {
 *   listen: [9000, { path: '/run/my.sock', mode: 0o600 }],
 *   maxConnections: 10_000,
 *   message: (conn, chunk) => conn.write(chunk),
 * }
 * await serve(options)
 * ```
 */
export interface ServeOptions<In = Buffer, Out = FrameData, Context = undefined>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {
  /**
   * Where to listen, one address or several: a port on all addresses of this machine (`9000`), a host
   * and a port (`{ host: '127.0.0.1', port: 9000 }`), a Unix socket (`{ path: '/run/my.sock' }`), or a URL
   * (`tcp://127.0.0.1:9000`, `unix:///run/my.sock`, `fd://3`, `systemd://web`); see {@link Address}. An
   * object may also have options and handlers of its own: see {@link ListenEntry} and `listener`.
   *
   * Port 0 lets the system choose; `server.port` shows the port. All addresses of a name get the same
   * port. The path of a Unix socket is reused only if no process listens on it any more, and removed when
   * the listener closes.
   */
  listen:
    | Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>
    | readonly Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>[]
  /**
   * The event loops that serve the connections. A number from 1 to 128 starts so many loops for this
   * server alone, each with a thread. `'inline'` runs one loop on Node's own event loop, without a thread.
   * Another server shares its loops. Default: the loops that everything in this JavaScript environment
   * shares, max(1, min(4, available parallelism − 1)) of them.
   */
  loops?: number | 'inline' | Server | undefined
  /** How new connections are spread over the loops. Default `'round-robin'`. */
  balance?: Balance | undefined
  /**
   * The most connections that may be open at a time, of all listeners together. When the limit is
   * reached, `onFull` decides. Default: no limit.
   */
  maxConnections?: number | undefined
  /**
   * What happens to new connections while `maxConnections` is reached: they wait in the kernel's backlog
   * (`'wait'`), or they are accepted and closed at once (`'refuse'`). Default `'wait'`.
   */
  onFull?: 'wait' | 'refuse' | undefined
  /**
   * Whose connections begin with a PROXY header, which says who the client is. The header is read before the connection
   * opens. A connection without a good header, from somebody who has to send one, is reset, and no handler
   * hears of it: `server.stats()` counts it. `false`: nobody's. Default `false`.
   */
  proxyProtocol?: ProxyProtocolOptions | false | undefined
  /**
   * The size in bytes of each of a loop's two rings: a power of two from 4 KiB to 1 GiB. Only if `loops`
   * is a number or `'inline'`. Default 1 MiB.
   */
  ringBytes?: number | undefined
  /** Closes the server when it aborts, as `server.close()` does. */
  signal?: AbortSignal | undefined
}
