/** A client that connects again, as its user sees it. */

import type { Conn } from '../connection/conn.js'
import type { CodedError } from '../errors.js'

/**
 * What a client is doing: `'connecting'` tries to connect, `'open'` has a connection, `'waiting'` waits
 * before the next attempt, and `'closed'` is the end.
 *
 * @example
 * ```ts
 * const isUsable = (state: ClientState) => state !== 'closed'
 * console.log(isUsable(client.state))
 * ```
 */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed'

/**
 * A client that connects again. It has one connection at a time, and each runs its own `open` and
 * `close`.
 *
 * A plain `Client` is any client, whatever its messages are.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returned for each connection
 * @example
 * ```ts
 * const client = await connect({
 *   to: 'tcp://127.0.0.1:9000',
 *   codec: json(line()),
 *   reconnect: true,
 *   message: (conn, reply) => console.log(reply),
 * })
 * client.write({ id: 1 }) // queued if there is no connection
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `Client` has to take every client
export interface Client<In = any, Out = any, Context = any> extends AsyncDisposable {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** What the client is doing. */
  readonly state: ClientState
  /** The open connection, if there is one. */
  readonly conn: Conn<In, Out, Context> | undefined
  /** The number of the current or next attempt since a connection last lasted, from 1; 0 while connected. */
  readonly attempt: number
  /** When the next attempt begins, in milliseconds as `Date.now()` counts them; only while `'waiting'`. */
  readonly nextAttemptAt: number | undefined
  /** Why the last attempt failed or the last connection ended; undefined if it ended in good order. */
  readonly lastError: CodedError | undefined
  /** Bytes that were written without a connection and wait for one. */
  readonly queued: number
  /**
   * Sends a message as `conn.write` does. Without a connection the option `offline` decides. What was
   * written to a connection that is lost is not sent again.
   *
   * @returns `true` if you may go on writing. `false` if the message was accepted and `drain` will follow
   *   (see `conn.write`); if the client is closed; or if there is no connection and `offline` is
   *   `'refuse'`
   * @throws whatever `encode` throws, the framing's errors, and `ERR_WRITE_BUFFER_FULL` if more than
   *   `maxOffline` bytes would wait for a connection. The message is not kept then
   */
  write(message: Out): boolean
  /**
   * Ends our half of the connection, as `conn.end()` does, and makes no other connection. What waits for a
   * connection is dropped.
   */
  end(): void
  /** Closes the connection, as `conn.close()` does, and makes no other connection. */
  close(): void
  /**
   * Drops the connection, and makes no other connection.
   *
   * @param error what the handler `close` gets, and what `closed` rejects with
   */
  destroy(error?: Error): void
  /**
   * Resolves once the connection has closed after `end()`, `close()` or `destroy()`: after `end()` that is when
   * the peer has ended, too. Rejects if the connection closed with an error, and if the client gave up, was
   * aborted, or was destroyed with an error. Left unawaited, a rejection does no harm.
   */
  readonly closed: Promise<void>
  /** Keeps the process alive until the client is closed, which is the default. */
  ref(): this
  /** Lets the process exit, whatever the client is doing. */
  unref(): this
  /** Calls `close()`, and resolves once the client is closed. */
  [Symbol.asyncDispose](): Promise<void>
}
