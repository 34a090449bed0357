/** The options that everything which makes connections takes: their types, and their checks. */

import { type Codec, checkCodec } from '../codec/codec.js'
import { DEFAULT_MAX } from '../codec/framing.js'
import { toNative, validateFraming } from '../codec/native-framing.js'
import { invalidOption } from '../errors.js'
import type { ProfileInit } from '../native/binding.js'
import { type OptionPairs, socketPairs } from '../socket/option-pairs.js'
import { SOCKET_NAMES, type SocketOptions } from '../socket/socket-options.js'
import { flag, whole } from '../util/checks.js'
import type { QueueLimit } from '../util/pending-queue.js'
import { HANDLERS, type Handlers, type Peer } from './conn-handlers.js'

/**
 * Options of connections, wherever they come from: of `serve`, its listeners, and `connect`.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const limits: ConnOptions<Buffer, Uint8Array | string> = {
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
   * that have state: the codecs that it returns must all have the same framing. Default `raw()`:
   * messages are chunks of the stream.
   */
  codec?: Codec<In, Out> | ((peer: Peer) => Codec<In, Out>)
  /**
   * The number of unsent bytes over which `write` returns `false`. `drain` follows at half of it. Default
   * 1 MiB.
   */
  highWaterMark?: number
  /**
   * The number of unsent bytes over which a connection is destroyed with `ERR_WRITE_BUFFER_FULL`. Default
   * 16 MiB, or `highWaterMark` if that is more.
   */
  maxWriteBuffer?: number
  /**
   * Stop reading from a connection while more than `highWaterMark` bytes wait to be sent to it. Default
   * true for `serve` and false for `connect`: if both ends did it, each could wait for the other.
   */
  autoPause?: boolean
  /**
   * Bytes of received input that may wait while nobody pulls, or while the connection is paused. Then
   * reading stops. Default 1 MiB, and at most 1,024 frames.
   */
  maxParked?: number
  /** Keep a connection after the peer's FIN, until `end()` is called. Default false. */
  allowHalfOpen?: boolean
  /**
   * Milliseconds that a connection may take after `end()` to send the rest and to see the peer's FIN.
   * Over it the connection is destroyed with `ERR_LINGER_TIMEOUT`. Default 30,000.
   */
  lingerTimeout?: number
}

/** The options of connections, complete and checked. */
export interface ConnSettings {
  /** The codec, or the one that the function returned first. */
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  readonly socket: OptionPairs
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly autoPause: boolean
  readonly maxParked: QueueLimit
  readonly allowHalfOpen: boolean
  readonly lingerTimeout: number
}

/** The most frames, or datagrams, that may wait while nobody takes them. */
export const MAX_PARKED_ITEMS = 1024

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
]

const DEFAULT_HIGH_WATER_MARK = DEFAULT_MAX
const DEFAULT_MAX_WRITE_BUFFER = 16 * DEFAULT_MAX

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

/**
 * Checks and completes the options of connections.
 *
 * @param fallback the codec if there is none in `options`
 * @param autoPause the default of that option
 * @param extra options of their sockets that are checked already
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkConn(
  options: ConnOptions<never, never>,
  fallback: Codec<unknown, unknown>,
  autoPause: boolean,
  extra: OptionPairs = [],
): ConnSettings {
  const { codec = fallback } = options as {
    codec?: Codec<unknown, unknown> | ((peer: Peer) => Codec<unknown, unknown>)
  }
  const isFunction = typeof codec === 'function'
  // The loop needs the framing before there is a connection, so a function is called once for it.
  const first = checkCodec(isFunction ? codec({ remote: '', local: '' }) : codec)
  validateFraming(first.framing)
  const highWaterMark = whole('highWaterMark', options.highWaterMark, DEFAULT_HIGH_WATER_MARK, 1)
  return {
    codec: first,
    codecOf: isFunction ? codec : undefined,
    // `noDelay` is on by default, so that small messages do not wait for others.
    socket: socketPairs(options, true).concat(extra),
    highWaterMark,
    maxWriteBuffer: whole(
      'maxWriteBuffer',
      options.maxWriteBuffer,
      Math.max(DEFAULT_MAX_WRITE_BUFFER, highWaterMark),
      highWaterMark,
    ),
    autoPause: flag('autoPause', options.autoPause, autoPause),
    maxParked: {
      bytes: whole('maxParked', options.maxParked, DEFAULT_MAX, 1),
      items: MAX_PARKED_ITEMS,
    },
    allowHalfOpen: flag('allowHalfOpen', options.allowHalfOpen, false),
    lingerTimeout: whole('lingerTimeout', options.lingerTimeout, 30_000, 1),
  }
}

/** Converts the settings of connections to the form that the native half takes. */
export function toProfileInit(settings: ConnSettings): ProfileInit {
  return {
    framing: toNative(settings.codec.framing),
    highWaterMark: settings.highWaterMark,
    autoPause: settings.autoPause,
    allowHalfOpen: settings.allowHalfOpen,
    lingerMs: settings.lingerTimeout,
    socket: settings.socket,
  }
}
