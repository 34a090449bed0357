/** A server as its user sees it. */

import type { Conn } from '../connection/conn.js'
import type { BroadcastOptions } from './broadcast.js'
import type { CloseOptions } from './draining.js'
import type { ListenEntry, ListenerSpec } from './listen-entry.js'
import type { Listener } from './listener.js'
import type { ServerStats } from './stats.js'

/**
 * A server that is listening, or was.
 *
 * Iterating it visits its open connections, except those of a `listener` with types of its own. A plain
 * `Server` is any server, whatever its messages are.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returned
 * @example
 * ```ts
 * const server = await serve({ listen: 9000, message: (conn, chunk) => conn.write(chunk) })
 * console.log(server.port, server.connections)
 * for (const conn of server) conn.close()
 * await server.close({ timeout: 5_000 })
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `Server` has to take every server
export interface Server<In = any, Out = any, Context = any>
  extends AsyncDisposable,
    Iterable<Conn<In, Out, Context>> {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** The addresses of its listeners, in the order of `listen`: `tcp://127.0.0.1:9000`. */
  readonly addresses: readonly string[]
  /** The port of the first of its addresses; undefined if that is a Unix socket. */
  readonly port: number | undefined
  /** Its listeners that are not closed or closing: one for each entry of `listen`, then what was added. */
  readonly listeners: readonly Listener[]
  /** The number of open connections, of all listeners. */
  readonly connections: number
  /**
   * Listens on one more entry, of the form that `listen` takes. A server whose listeners are all closed
   * may be given others; meanwhile it does not keep the process alive.
   *
   * Rejects with `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED` or the system's error, and
   * then nothing is bound; with `ERR_CLOSED` once the server is closing.
   *
   * @example
   * ```ts
   * const admin = await server.listen(listener({ address: 'tcp://127.0.0.1:9001', codec: line() }))
   * ```
   */
  listen<OwnIn, OwnOut, OwnContext>(
    spec: ListenerSpec<OwnIn, OwnOut, OwnContext>,
  ): Promise<Listener<OwnIn, OwnOut, OwnContext>>
  /** Listens on one more entry whose messages are of the server's types. Rejects as above. */
  listen(
    entry: string | number | ListenEntry<In, Out, Context>,
  ): Promise<Listener<In, Out, Context>>
  /**
   * Duplicates the descriptor of a listener's socket, for another process: see `Listener.dup`.
   *
   * Rejects with `ERR_INVALID_ADDRESS` if no listener has that address, or if there are several listeners
   * and no address; otherwise as `Listener.dup` does.
   *
   * @param address one of `addresses`. May be left out if there is one listener
   */
  dup(address?: string): Promise<number>
  /** Returns the counts of the server and its loops. */
  stats(): ServerStats
  /** Finds an open connection by its `id`. Those of a `listener` with types of its own are not found. */
  get(id: number): Conn<In, Out, Context> | undefined
  /**
   * Writes a message to all connections, or to a group of them, each under its own backpressure. The
   * connections of a `listener` with types of its own are passed over.
   *
   * @returns the number of connections that it was written to
   * @throws `ERR_INVALID_OPTION`; what `encode` or the framing throws. Nothing was sent then, unless each
   *   connection has a codec of its own
   * @example
   * ```ts
   * server.broadcast('hello', { group: room, except: conn })
   * ```
   */
  broadcast(message: Out, options?: BroadcastOptions<Conn<In, Out, Context>>): number
  /**
   * Closes the server. It accepts the connections that are already there and stops listening; delivers
   * what was received by then; calls `close()` of each connection once the promises of its handlers are settled; and
   * destroys what is left after `timeout` with `ERR_CLOSE_TIMEOUT`. Resolves when every `close` handler
   * has run. A second call shares the promise of the first one. If the second
   * call names a `timeout` that ends earlier, that one counts.
   *
   * Do not await it inside a handler: it waits for handlers, so both would wait until the timeout.
   *
   * Rejects with `ERR_INVALID_OPTION`.
   */
  close(options?: CloseOptions): Promise<void>
  /** Keeps the process alive while the server listens, which is the default. */
  ref(): this
  /** Lets the process exit while the server listens. */
  unref(): this
}
