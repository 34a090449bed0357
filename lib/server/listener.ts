/** A listener as its user sees it. */

import type { Conn } from '../connection/conn.js'
import type { BroadcastOptions } from './broadcast.js'
import type { CloseOptions } from './draining.js'

/**
 * A listener of a server, made from one entry of `listen`. Iterating it visits its connections.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returned
 * @example
 * ```ts
 * const [first] = server.listeners
 * await first?.pause() // new clients wait in the backlog
 * await first?.resume()
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `Listener` has to take every listener
export interface Listener<In = any, Out = any, Context = any>
  extends AsyncDisposable,
    Iterable<Conn<In, Out, Context>> {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** The address that it listens on: `tcp://127.0.0.1:9000`. The first one, if there are several. */
  readonly address: string
  /** All of its addresses. A host name may have several; the sockets of `reusePort` share one. */
  readonly addresses: readonly string[]
  /** The port of `address`; undefined for a Unix socket. */
  readonly port: number | undefined
  /** The number of its open connections. */
  readonly connections: number
  /**
   * Writes a message to all of its connections, or to a group of them. Returns and throws as
   * `server.broadcast` does.
   */
  broadcast(message: Out, options?: BroadcastOptions<Conn<In, Out, Context>>): number
  /**
   * Accepts nothing more; the kernel's backlog holds those who connect. Resolves when that is so.
   * Connections that were accepted before may still open.
   *
   * Rejects with `ERR_CLOSED` once the listener is closed, and with `ERR_LOOP_PANIC` if the loops that
   * accept have panicked.
   */
  pause(): Promise<void>
  /** Accepts again, first those that the backlog holds. Rejects as `pause` does. */
  resume(): Promise<void>
  /**
   * Duplicates its descriptor, to be handed to another process: for instance as one of `stdio` of `spawn`,
   * which there listens on `fd://3`. The duplicate is yours to close. From then on both processes
   * accept, and a new connection goes to the one that accepts it first, until one of them closes. The path of
   * a Unix socket is not removed any more.
   *
   * Rejects as `pause` does; with `ERR_UNSUPPORTED` on Windows, or if the listener has several sockets;
   * with the system's error, such as `EMFILE`.
   */
  dup(): Promise<number>
  /**
   * Closes this listener as `server.close` closes all of them. Other listeners and their connections are
   * unaffected. A second call shares the promise of the first one. If the second
   * call names a `timeout` that ends earlier, that one counts.
   */
  close(options?: CloseOptions): Promise<void>
}
