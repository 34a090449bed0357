/** Checks and completes the options of connections. */

import { type Codec, checkCodec } from '../codec/codec.js'
import { DEFAULT_MAX } from '../codec/framing.js'
import { defaultCodec } from '../codec/framings.js'
import { ownFraming, toNative, validateFraming } from '../codec/native-framing.js'
import type { ProfileInit } from '../native/binding.js'
import { type OptionPairs, socketPairs } from '../socket/option-pairs.js'
import { flag, whole } from '../util/checks.js'
import { MAX_PARKED_ITEMS, type ParkedLimit } from '../util/parked-limit.js'
import type { ConnOptions } from './conn-options.js'
import type { Peer } from './peer.js'
import { checkTimeouts, type TimeoutSettings, toTimeoutsInit } from './timeouts.js'

/** The options of connections, complete and checked. */
export interface ConnSettings {
  /** The codec, or the one that the function returned first. */
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  readonly socket: OptionPairs
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly autoPause: boolean
  readonly maxParked: ParkedLimit
  readonly allowHalfOpen: boolean
  readonly lingerTimeout: number
  readonly timeouts: TimeoutSettings
}

const DEFAULT_HIGH_WATER_MARK = DEFAULT_MAX
const DEFAULT_MAX_WRITE_BUFFER = 16 * DEFAULT_MAX

/**
 * Checks and completes the options of connections.
 *
 * @param autoPause the default of that option
 * @param extra options of their sockets that are checked already
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkConn(
  options: ConnOptions<never, never>,
  autoPause: boolean,
  extra: OptionPairs = [],
): ConnSettings {
  const { codec = defaultCodec() } = options as {
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
    timeouts: checkTimeouts(options.timeouts),
  }
}

/** Converts the settings of connections to the form that the native half takes. */
export function toProfileInit(settings: ConnSettings): ProfileInit {
  return {
    // The one that the connections have: the bytes of a delimiter may have changed since it was copied.
    framing: toNative(ownFraming(settings.codec.framing)),
    highWaterMark: settings.highWaterMark,
    autoPause: settings.autoPause,
    lingerMs: settings.lingerTimeout,
    timeouts: toTimeoutsInit(settings.timeouts),
    socket: settings.socket,
  }
}
