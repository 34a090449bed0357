/** The public options of connections: of `serve`, its listeners, and `connect`. */

import type { Codec } from '../codec/codec.js'
import { SOCKET_NAMES, type SocketOptions } from '../socket/socket-options.js'
import type { Peer } from './peer.js'
import type { Timeouts } from './timeouts.js'

/**
 * Options of connections, wherever they come from: of `serve`, its listeners, and `connect`.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const limits: ConnOptions<Buffer, FrameData> = {
 *   highWaterMark: 64 * 1024,
 *   maxWriteBuffer: 1024 * 1024,
 *   lingerTimeout: 5_000,
 * }
 * await serve({ listen: 9000, ...limits, message: (conn, chunk) => conn.write(chunk) })
 * ```
 */
export interface ConnOptions<In, Out> extends SocketOptions {
  /**
   * How bytes become messages, and messages bytes. A function is called for each connection, for codecs
   * that have state: the codecs that it returns must all have the same framing. It is also called when
   * the options are checked, with a peer whose addresses are `''`, because the loop needs the framing
   * first. Default `raw()`: messages are chunks of the stream.
   */
  codec?: Codec<In, Out> | ((peer: Peer) => Codec<In, Out>) | undefined
  /**
   * The number of unsent bytes over which `write` returns `false`. `drain` follows at half of it, or once all that
   * was written before has gone out, if others go on writing. Default 1 MiB.
   */
  highWaterMark?: number | undefined
  /**
   * The number of unsent bytes over which a connection is destroyed with `ERR_WRITE_BUFFER_FULL`. Default
   * 16 MiB, or `highWaterMark` if that is more.
   */
  maxWriteBuffer?: number | undefined
  /**
   * Whether a connection gets no more messages once its replies make more than `highWaterMark` bytes wait to be sent.
   * Default true for `serve` and false for `connect`: if both ends did it, each could wait for the other.
   */
  autoPause?: boolean | undefined
  /**
   * Bytes of received input that may wait while nobody pulls, or while the connection is paused. Then
   * reading stops. Default 1 MiB, and at most 1,024 frames.
   */
  maxParked?: number | undefined
  /**
   * Whether our half stays open after the peer's FIN, until `end()` or `close()` is called. By default it ends
   * by itself, once everything is delivered and the promises of all handlers have settled.
   */
  allowHalfOpen?: boolean | undefined
  /**
   * Milliseconds without progress after which a connection that closes is given up, with
   * `ERR_LINGER_TIMEOUT`. Progress is every byte that the kernel takes from us or the peer acknowledges; until
   * our FIN is sent, also every byte received. A connection that nobody pulls from after `end()` is given up
   * after this time, too. Default 30,000.
   */
  lingerTimeout?: number | undefined
  /** Limits in time: of silence, of slow messages, of slow readers, of handlers, and of age. Default none. */
  timeouts?: Timeouts | undefined
}

/** The names of {@link ConnOptions}. */
export const CONN_NAMES: readonly string[] = [
  ...SOCKET_NAMES,
  'codec',
  'highWaterMark',
  'maxWriteBuffer',
  'autoPause',
  'maxParked',
  'allowHalfOpen',
  'lingerTimeout',
  'timeouts',
]
