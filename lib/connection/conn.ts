/** A connection as its user sees it. */

import type { Codec } from '../codec/codec.js'
import type { SocketOptions } from '../socket/socket-options.js'
import type { LiveTimeouts } from './timeouts.js'

/**
 * Where a connection is in its life, as in `node:net`:
 *
 * - `'open'`: both halves are open;
 * - `'readOnly'`: our half has ended, by `end()`;
 * - `'writeOnly'`: the peer's half has ended, or the server is closing, and all messages were delivered;
 * - `'closing'`: both have ended, or `close()` was called;
 * - `'closed'`: after `destroy()`, `reset()`, and at the end.
 */
export type ReadyState = 'open' | 'readOnly' | 'writeOnly' | 'closing' | 'closed'

/**
 * A connection.
 *
 * Without a `message` handler its messages are pulled: `for await (const message of conn)`. Leaving that
 * loop early stops reading; unlike Node's streams, it does not close the connection, which may be
 * iterated again. The iteration finishes at the peer's FIN, after `close()`, while the server closes, and at
 * the end of `maxLifetime`. It throws the error that the connection ended with, or what `decode` throws, after
 * which no message follows.
 *
 * A plain `Conn` is any connection, whatever its messages are.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returned
 * @example
 * ```ts
 * const room = new Set<Conn>()
 * const server: Server = await serve({
 *   listen: 9000,
 *   open: (conn) => void room.add(conn),
 *   message: (conn, chunk) => void server.broadcast(chunk, { group: room, except: conn }),
 *   close: (conn) => void room.delete(conn),
 * })
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `Conn` has to take every connection
export interface Conn<In = any, Out = any, Context = any>
  extends AsyncIterable<In>,
    AsyncDisposable {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** Identifies the connection. Unique in this JavaScript environment, and never used again. */
  readonly id: number
  /** The number of the event loop that serves the connection. */
  readonly loop: number
  /**
   * The other side's address: `127.0.0.1:40312`, `[::1]:40312`, `unix:/run/my.sock`. With `proxyProtocol`, the address of the
   * client that the proxy connects for.
   */
  readonly remote: string
  /** The other side's IP address, as in `node:net`; undefined for a Unix socket. */
  readonly remoteAddress: string | undefined
  /** The other side's port; undefined for a Unix socket. */
  readonly remotePort: number | undefined
  /** The family of the other side's address; undefined for a Unix socket. */
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined
  /** Our address, in the form of `remote`. */
  readonly local: string
  /** Our IP address; undefined for a Unix socket. */
  readonly localAddress: string | undefined
  /** Our port; undefined for a Unix socket. */
  readonly localPort: number | undefined
  /** The family of our address; undefined for a Unix socket. */
  readonly localFamily: 'IPv4' | 'IPv6' | undefined
  /** What the handler `context` returned, or whatever you assign. */
  context: Context
  /**
   * The codec. Another one may be assigned, with any framing: it takes over at the first byte that the old one has
   * not dealt with. Bytes that are there already count, even if no more come. `write` uses the new codec at once. A
   * handler that awaits something before it assigns one pauses the connection until then, because `message` gets what
   * follows otherwise, as messages of the old codec.
   *
   * Throws `ERR_INVALID_OPTION` if the new codec is not valid, or if the old one has a framing other than `raw` and not
   * `switchable: true`; `ERR_PIPED` while a pipe or a stream has the connection.
   *
   * @example
   * ```ts
   * const lines: Codec<Buffer, string> = { ...line(), switchable: true }
   * await serve<Buffer, string>({
   *   listen: 9000,
   *   codec: lines,
   *   message(conn, message) {
   *     if (message.toString() === 'UPGRADE') conn.codec = raw()
   *   },
   * })
   * ```
   */
  codec: Codec<In, Out>
  /**
   * Sends a message. The message is encoded and copied before `write` returns.
   *
   * @returns `true` if you may go on writing. `false` if more than `highWaterMark` bytes now wait: the
   *   message was accepted, do not send it again, and wait for the handler `drain` or `close`, one of which
   *   always follows. Also `false` after `end()`, `close()` or `destroy()`: then nothing was sent
   * @throws whatever `encode` throws, or the framing's `ERR_FRAME_TOO_LARGE` or `ERR_FRAME_INVALID`; `ERR_PIPED`
   *   while a pipe, a stream or a file has its output. Nothing was sent then, and the connection goes on
   * @example
   * ```ts
   * if (!conn.write(message)) await conn.drained()
   * ```
   */
  write(message: Out): boolean
  /**
   * Resolves once the kernel has taken everything written so far. Rejects with the error that the
   * connection closes with, or with `ERR_CLOSED`. Left unawaited, a rejection does no harm.
   */
  flushed(): Promise<void>
  /**
   * Resolves as soon as `write` would return `true` again. Rejects as `flushed()` does, and with
   * `ERR_CLOSED` after `end()` or `close()`.
   */
  drained(): Promise<void>
  /**
   * Bytes that were written and that the kernel has not taken yet; 0 once `readyState` is `'closed'`. Code that writes
   * until `buffered` is at a mark has to look at `readyState`, too: a connection that has ended takes nothing more.
   */
  readonly buffered: number
  /** Bytes received, with the headers of frames, and without a PROXY header. */
  readonly bytesRead: number
  /** Bytes accepted by `write`, with the headers of frames. */
  readonly bytesWritten: number
  /** Where the connection is in its life. */
  readonly readyState: ReadyState
  /**
   * Delivers no message from now on, pushed or pulled, until `resume()`. The loop stops reading, and TCP stops the
   * peer.
   *
   * @throws `ERR_PIPED` while a pipe or a stream has the connection
   */
  pause(): void
  /** Delivers messages again. Those that are parked come first, once the running code is finished. */
  resume(): void
  /**
   * Ends our half, as in `node:net`: sends what is written, then FIN. Messages go on to be delivered until
   * the peer's FIN. Then the connection closes, once the promises of all handlers have settled.
   *
   * A silent peer keeps the connection open: call `close()` if you do not want the rest.
   *
   * If messages are pulled, somebody has to go on pulling: after `lingerTimeout` without a pull, the
   * connection closes with `ERR_LINGER_TIMEOUT`.
   *
   * @param message a last message to write; dropped if our half has ended already
   * @throws what `write` throws; then the connection goes on
   */
  end(message?: Out): void
  /**
   * Is done with the connection: sends what is written, then FIN, drops what arrives from now on, and closes
   * once the peer has sent its own FIN. It closes with `ERR_LINGER_TIMEOUT` if nothing moves for
   * `lingerTimeout`.
   *
   * @param message a last message to write; dropped if our half has ended already
   * @throws what `write` throws; then the connection goes on
   */
  close(message?: Out): void
  /**
   * Closes now, and drops what is not sent yet. The peer usually reads a FIN, as if all was sent; while a file is sent, the
   * connection is reset instead, as the peer might take it for whole. After a bad
   * frame this also closes a socket that stays for its last replies.
   *
   * @param error what the handler `close` gets
   */
  destroy(error?: Error): void
  /**
   * Closes now with a reset (RST), which tells the peer that something went wrong. A Unix socket has none,
   * and closes as with `destroy`. Like that, it also closes a socket that stays for its last replies.
   *
   * @param error what the handler `close` gets
   */
  reset(error?: Error): void
  /**
   * Changes options of the socket. Rejects with `ERR_INVALID_OPTION` (a Unix socket has only the buffer
   * sizes), `ERR_UNSUPPORTED`, `ERR_CLOSED`, or the system's error of `setsockopt`.
   *
   * @example
   * ```ts
   * await conn.setSocketOptions({ noDelay: false, keepAlive: { idle: 60_000 } })
   * ```
   */
  setSocketOptions(options: SocketOptions): Promise<void>
  /**
   * Reads the socket's options from the kernel. Options that this system or this type of socket does not
   * have are missing. Rejects with `ERR_CLOSED`.
   */
  socketOptions(): Promise<SocketOptions>
  /**
   * Changes limits in time. The times that are given begin with this call, and the others go on. 0 switches a limit
   * off. Does nothing once the connection closes.
   *
   * @throws `ERR_INVALID_OPTION`
   * @example
   * ```ts
   * // MQTT: the client has to be heard within one and a half times its keep-alive, here a minute.
   * conn.setTimeouts({ receive: 90_000 })
   * ```
   */
  setTimeouts(timeouts: LiveTimeouts): void
  /** Keeps the process alive while the connection is open, which is the default. */
  ref(): this
  /** Lets the process exit while the connection is open. */
  unref(): this
  /** Calls `close()`, and resolves once the connection is closed. */
  [Symbol.asyncDispose](): Promise<void>
}
