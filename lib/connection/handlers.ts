/** What a user of a server writes: functions, all of them optional. */

import type { MillraceError } from '../errors.js'
import type { Conn } from './conn.js'

/** Who connected, before there is a connection to speak of. */
export interface Peer {
  /** The other side's address: `127.0.0.1:40312`, `[::1]:40312`. */
  readonly remote: string
  /** Ours. */
  readonly local: string
}

/** Not a promise: `context` answers at once. */
type Immediate<T> = T & (T extends PromiseLike<unknown> ? never : unknown)

/**
 * The handlers of a connection's life: `open`, `message` for each message in order of arrival, and
 * `close` once, last.
 *
 * A throw in one of them, or a promise of theirs that rejects, destroys that one connection; its
 * `close` gets the error, or without one `error` does, or without both the process's warnings.
 */
export interface Handlers<In, Out, Context> {
  /**
   * Makes `conn.context` for a new connection. Synchronous: a promise is refused with `ERR_CONTEXT_ASYNC`.
   *
   * Its result types `conn.context` in all handlers; write it before them, for TypeScript infers from
   * top to bottom.
   */
  context?: (peer: Peer) => Immediate<Context>
  /** A connection is there. What it writes goes out first. Messages do not wait for its promise. */
  open?(conn: Conn<In, Out, Context>): unknown
  /**
   * A message. A promise is not awaited before the next message, but the connection stays until it
   * settles. Without this handler messages are pulled with `for await (const message of conn)`.
   */
  message?(conn: Conn<In, Out, Context>, message: In): unknown
  /** After `write` said `false`: there is room again. Exactly once for each such episode. */
  drain?(conn: Conn<In, Out, Context>): unknown
  /**
   * The end, whatever ended it. `error` is undefined after a local `end` or a peer's FIN in good
   * order.
   */
  close?(conn: Conn<In, Out, Context>, error?: Error): unknown
  /** What belongs to no `close`: accepting failed, a loop was lost, a throw with no `close` to tell. */
  error?(error: MillraceError | Error, conn?: Conn<In, Out, Context>): unknown
}
