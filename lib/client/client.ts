/** A client that connects again, as its user sees it. */

import type { Conn } from '../connection/conn.js'

/** Where a client is: trying to connect, connected, waiting before the next try, or at its end. */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed'

/**
 * A client over one connection at a time. Each connection has an `open` and a `close` of its own.
 *
 * @typeParam In the messages it gives
 * @typeParam Out the messages it takes
 * @typeParam Context what `context` made for each connection
 */
export interface Client<In = Buffer, Out = Uint8Array | string, Context = undefined>
  extends AsyncDisposable {
  readonly state: ClientState
  /** The connection that is open. */
  readonly conn: Conn<In, Out, Context> | undefined
  /** Which try since a connection last held this is, or is waited for, from 1 on; 0 while there is one. */
  readonly attempt: number
  /** While `waiting`: when it tries again, in milliseconds as of `Date.now()`. */
  readonly nextAttemptAt: number | undefined
  /** Why the last try failed, or the last connection ended; undefined if that was in good order. */
  readonly lastError: Error | undefined
  /** Bytes that were written without a connection and wait for one. */
  readonly queued: number
  /**
   * Sends a message, as `conn.write` does; without a connection see `offline`. What was written to a
   * connection that is lost is lost with it: it is not sent again.
   *
   * @returns `false` if nothing was accepted (it has ended, or refuses while it has no connection), or
   *   if it was accepted and `drain` will follow: see `conn.write`
   * @throws whatever `encode` throws, the framing's errors, and `ERR_WRITE_BUFFER_FULL` if more than
   *   `maxOffline` bytes would wait for a connection: nothing of the message is kept then
   */
  write(message: Out): boolean
  /** Ends the connection in good order, or the tries to have one, and connects no more. What waits for a connection is dropped. */
  end(): void
  /** Drops the connection, or the tries to have one, and connects no more. */
  destroy(error?: Error): void
  /**
   * Resolves once it is closed by `end` or `destroy()`; rejects with the error where it was destroyed
   * with one, gave up, or was aborted. Nobody has to handle that.
   */
  readonly closed: Promise<void>
  /** Keeps the process alive until it is closed; the default. */
  ref(): this
  /** Lets the process end. */
  unref(): this
  /** Ends it, and resolves when it is closed. */
  [Symbol.asyncDispose](): Promise<void>
}
