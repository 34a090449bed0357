/** The handlers of a connection's life, which users write. */

import type { FrameData } from '../codec/frame-data.js'
import { type CodedError, invalidOption } from '../errors.js'
import type { Conn } from './conn.js'
import type { Peer } from './peer.js'

/** A type that is not a promise: a handler that returns it has to be synchronous. */
export type Synchronous<T> = T & (T extends PromiseLike<unknown> ? never : unknown)

/**
 * The handlers of a connection's life: `context`, `open`, then `message` for each message in order of
 * arrival, `end` at the peer's FIN, and `close` once, at the end. All of them are optional.
 *
 * A throw in a handler, or the rejection of a promise that a handler returned, destroys that one
 * connection. Its `close` gets the error; without `close` the handler `error` gets it, and without that
 * it becomes a process warning. What was thrown is wrapped in an `Error` with `cause` if it is not one. The
 * error of the connection's own end, which a pull, `flushed()` or `drained()` has thrown, closes it instead.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what `context` returns
 * @example
 * ```ts
 * const handlers: Handlers = {
 *   message: (conn, chunk) => conn.write(chunk),
 *   close: (conn, error) => console.log(conn.remote, error?.code),
 * }
 * ```
 */
export interface Handlers<In = Buffer, Out = FrameData, Context = undefined> {
  /**
   * Makes `conn.context` for a new connection. Synchronous: a promise is refused with
   * `ERR_CONTEXT_ASYNC`.
   *
   * The result types `conn.context` in all handlers. Write `context` in front of them, since TypeScript
   * infers from top to bottom.
   */
  context?: (peer: Peer) => Synchronous<Context>
  /**
   * A connection is open. What this handler writes is sent first. If it returns a promise, messages do
   * not wait for it.
   */
  open?(conn: Conn<In, Out, Context>): unknown
  /**
   * A message has arrived. If this handler returns a promise, the next message does not wait for it, but
   * the connection stays open until it settles. Without this handler messages are pulled with
   * `for await (const message of conn)`.
   */
  message?(conn: Conn<In, Out, Context>, message: In): unknown
  /**
   * The peer has ended its half (its FIN has come), and everything before that was delivered. Our half ends
   * by itself after this, once the promises of all handlers have settled; with `allowHalfOpen` it stays
   * until `end()` or `close()`. Does not run after your own `close()` or `destroy()`, after a reset or a
   * frame that was cut, or while the server closes: then only `close` runs.
   */
  end?(conn: Conn<In, Out, Context>): unknown
  /**
   * No byte has moved in either direction for the time that `timeouts.idle` sets. The time begins again: write a
   * ping, or close the connection. Without this handler it closes with `ERR_IDLE_TIMEOUT`.
   * It is not called again while its promise has not settled. While a file is sent, and while a pipe or a stream has
   * the connection, it is not asked, and the connection closes as without it.
   */
  idle?(conn: Conn<In, Out, Context>): unknown
  /**
   * There is room again after `write` returned `false`. Runs exactly once for each such episode; not while the
   * connection is piped or a stream, and during `sendFile` only once the file is written.
   */
  drain?(conn: Conn<In, Out, Context>): unknown
  /**
   * The connection has closed, for whatever reason. `error` is undefined if both halves have ended in good
   * order, after a `destroy()` or `reset()` without one, and if `server.close()` cut the input in the middle of
   * a frame.
   */
  close?(conn: Conn<In, Out, Context>, error?: CodedError): unknown
  /**
   * An error that belongs to no `close`: accepting failed, a loop has panicked, or a handler threw and
   * there is no `close`.
   */
  error?(error: CodedError, conn?: Conn<In, Out, Context>): unknown
}

/** Handlers whatever their messages are. */
export type AnyHandlers = Handlers<unknown, unknown, unknown>

/** The names of all handlers. */
export const HANDLERS = [
  'context',
  'open',
  'message',
  'end',
  'idle',
  'drain',
  'close',
  'error',
] as const

/**
 * Checks that handlers are functions.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkHandlers(options: Handlers<never, never, never>): void {
  for (const name of HANDLERS) {
    const handler = options[name]
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, 'a function', handler)
    }
  }
}
