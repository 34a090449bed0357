/** Checks the options of `connect` for streams, and fills in what they leave out. */

import { destination as destinationOf } from '../address/destination.js'
import { showAddress } from '../address/format.js'
import { type LocalAddress, localAddress } from '../address/local-address.js'
import { parseAddress } from '../address/parse-address.js'
import type { Destination } from '../address/socket-address.js'
import { DEFAULT_MAX } from '../codec/framing.js'
import { type ConnSettings, checkConn } from '../connection/check-conn.js'
import { checkLoop } from '../connection/check-loop.js'
import { checkHandlers, HANDLERS } from '../connection/conn-handlers.js'
import { CONN_NAMES } from '../connection/conn-options.js'
import { invalidOption, MillraceError } from '../errors.js'
import type { Loop } from '../runtime/loop.js'
import { checkDevice } from '../socket/bind-to-device.js'
import { dialPairs } from '../socket/option-pairs.js'
import { checkKind } from '../socket/socket-kinds.js'
import { SOCKET_NAMES, type SocketOptions } from '../socket/socket-options.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, oneOf, whole } from '../util/checks.js'
import { type Backoff, checkBackoff } from './backoff.js'
import type { ConnectOptions, ReconnectingOptions } from './connect-options.js'

/** The options of `connect`, complete and checked. */
export interface ConnectSettings {
  readonly conn: ConnSettings
  /** `to` as its user wrote it, for error messages. */
  readonly to: string
  readonly destination: Destination
  readonly local: LocalAddress | undefined
  /** The name of the network interface to use. */
  readonly device: string | undefined
  /** Milliseconds, 0 for no limit. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  /** The loop to use. Undefined: any loop. */
  readonly loop: Loop | undefined
}

/** The options that only a client has, complete and checked. */
export interface ClientSettings {
  readonly backoff: Backoff
  /** Whether messages wait while there is no connection. */
  readonly queues: boolean
  /** The most bytes that may wait. */
  readonly maxOffline: number
}

/** The names of everything that `connect` takes for one connection. */
const CONNECT_NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...CONN_NAMES,
  'to',
  'loops',
  'loop',
  'timeout',
  'signal',
  'localAddress',
  'bindToDevice',
  'fastOpen',
  'ringBytes',
  'reconnect',
])
/** The names of everything that `connect` takes for a client. */
const CLIENT_NAMES: ReadonlySet<string> = new Set([
  ...CONNECT_NAMES,
  'offline',
  'maxOffline',
  'state',
])

/** Returns whether the options ask for a client that connects again. */
export function reconnects(options: unknown): options is ReconnectingOptions<never, never, never> {
  const { reconnect } = (options ?? {}) as { reconnect?: unknown }
  return reconnect !== undefined && reconnect !== false
}

/**
 * Checks and completes the options that connections and clients share.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`
 */
export function checkConnect(
  options: ConnectOptions<never, never, never> | ReconnectingOptions<never, never, never>,
): ConnectSettings {
  checkNames(options, reconnects(options) ? CLIENT_NAMES : CONNECT_NAMES)
  checkHandlers(options)
  checkSignal(options.signal)
  const { to, loops, loop, bindToDevice } = options
  if (loop !== undefined && loops !== undefined)
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'loop and loops cannot be used together: leave out one of them',
    )
  const settings = checkConn(options, false, dialPairs(options.fastOpen))
  const destination = destinationOf(parseAddress(to, 'connect'))
  // A TCP socket has all of these options.
  if (destination.kind === 'unix') checkKind(socketOptionNames(options), 'unix')
  // The settings of the connection are an object of their own: spread into this one, they would make V8 use
  // a dictionary for so many fields, which costs each connection 3 KB.
  return {
    conn: settings,
    to: showAddress(to),
    destination,
    local: checkLocal(options.localAddress, destination),
    device: bindToDevice === undefined ? undefined : checkDevice(bindToDevice),
    timeout: whole('timeout', options.timeout, 0, 1),
    signal: options.signal,
    loop: checkLoop(loop),
  }
}

/** Lists the socket options that are set, because not every kind of socket has them. */
function socketOptionNames(
  options: SocketOptions & Pick<ConnectOptions, 'bindToDevice' | 'fastOpen'>,
): string[] {
  const names = [...SOCKET_NAMES, 'bindToDevice', 'fastOpen'] as const
  return names.filter((name) => options[name] !== undefined)
}

function checkLocal(local: unknown, { kind }: Destination): LocalAddress | undefined {
  if (local === undefined) return undefined
  if (typeof local !== 'string') throw invalidOption('localAddress', 'an IP address', local)
  if (kind === 'unix')
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'localAddress is for TCP: leave it out for a Unix socket',
    )
  return localAddress(local)
}

/**
 * Checks and completes the options that only a client has.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkClient(
  options: ReconnectingOptions<never, never, never>,
  { conn: { maxWriteBuffer, codecOf } }: ConnectSettings,
): ClientSettings {
  const { offline, state } = options
  if (state !== undefined && typeof state !== 'function')
    throw invalidOption('state', 'a function', state)
  if (offline === 'queue' && codecOf !== undefined) {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      "offline has to be 'refuse' if codec is a function, because a message is encoded for one connection",
    )
  }
  const defaultMaxOffline = Math.min(maxWriteBuffer, DEFAULT_MAX)
  return {
    backoff: checkBackoff(options.reconnect),
    queues: codecOf === undefined && oneOf('offline', offline, ['queue', 'refuse']) === 'queue',
    // At most `maxWriteBuffer`, because everything is written at once when there is a connection.
    maxOffline: whole('maxOffline', options.maxOffline, defaultMaxOffline, 1, maxWriteBuffer),
  }
}
