/** A connection as its user sees it. */

import type { Codec } from '../codec/codec.js'
import type { SocketOptions } from '../socket/socket-options.js'

/** Where a connection is in its life. */
export type ReadyState = 'open' | 'ending' | 'closed'

/**
 * One connection.
 *
 * Without a `message` handler its messages are pulled: `for await (const message of conn)`. Leaving
 * that loop early stops reading and does not close, other than with Node's streams; it may be
 * iterated again. It ends at the peer's FIN and throws the error that ended the connection.
 *
 * @typeParam In the messages it gives
 * @typeParam Out the messages it takes
 * @typeParam Context what `context` made for it
 */
export interface Conn<In = Buffer, Out = Uint8Array | string, Context = undefined>
  extends AsyncIterable<In>,
    AsyncDisposable {
  /** Unique in this JavaScript environment and never used again. */
  readonly id: number
  /** The number of the event loop that serves it. */
  readonly loop: number
  /** The other side's address: `127.0.0.1:40312`, `[::1]:40312`. */
  readonly remote: string
  /** Our address. */
  readonly local: string
  /** Yours: what `context` made. */
  context: Context
  /**
   * The codec. With `raw` framing another one may be assigned, to go on in another protocol with the
   * next undecoded byte; any other framing is for life (`ERR_INVALID_OPTION`).
   */
  codec: Codec<In, Out>
  /**
   * Sends a message. It is encoded and copied before this returns.
   *
   * @returns `false` if the connection is closed or ending (nothing was sent), or if it was accepted
   *   and more than `highWaterMark` bytes now wait: `drain` or `close` always follows. Do not send
   *   again.
   * @throws whatever `encode` throws, or the framing's `ERR_FRAME_TOO_LARGE` or `ERR_FRAME_INVALID`:
   *   nothing was sent then, and the connection goes on
   */
  write(message: Out): boolean
  /** Resolves once the kernel has everything written so far; rejects with the error of the close. */
  flushed(): Promise<void>
  /** Resolves once writing is not over the high-water mark; rejects with the error of the close. */
  drained(): Promise<void>
  /** Bytes written and not taken by the kernel yet. */
  readonly buffered: number
  /** Bytes received, headers of frames included. */
  readonly bytesRead: number
  /** Bytes accepted by `write`, headers of frames included. */
  readonly bytesWritten: number
  readonly readyState: ReadyState
  /** No `message` after this returns, until `resume`. Its loop stops reading, and TCP stops the peer. */
  pause(): void
  resume(): void
  /** Sends what is written, and `message` if given, then FIN; closes after the peer's FIN. */
  end(message?: Out): void
  /** Drops the connection now, with what waits. `close` gets the error. */
  destroy(error?: Error): void
  /**
   * Changes options of the socket. Rejects with `ERR_INVALID_OPTION` (a Unix socket has buffers only),
   * `ERR_UNSUPPORTED`, the system's error of `setsockopt`, or `ERR_CLOSED`.
   */
  setSocketOptions(options: SocketOptions): Promise<void>
  /**
   * The socket's options as the kernel has them, as far as this system and this kind of socket have
   * them. Rejects with `ERR_CLOSED`.
   */
  socketOptions(): Promise<SocketOptions>
  /** Keeps the process alive while it is open; the default. */
  ref(): this
  /** Lets the process end while it is open. */
  unref(): this
  /** Ends it, and resolves when it is closed. */
  [Symbol.asyncDispose](): Promise<void>
}
