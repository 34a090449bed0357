/** What `connect` takes, checked in one place. */

import type { Address } from '../address/address.js'
import { showAddress } from '../address/format.js'
import { type LocalAddress, localAddress } from '../address/local-address.js'
import { parseAddress } from '../address/parse-address.js'
import { destination } from '../address/resolve.js'
import type { Destination } from '../address/socket-address.js'
import type { Codec } from '../codec/codec.js'
import { raw } from '../codec/framings.js'
import { checkLoop } from '../connection/check-loop.js'
import type { Conn } from '../connection/conn.js'
import {
  CONN_NAMES,
  type ConnOptions,
  type ConnSettings,
  checkConn,
  checkHandlers,
} from '../connection/conn-options.js'
import { HANDLERS, type Handlers } from '../connection/handlers.js'
import { invalidOption, MillraceError } from '../errors.js'
import type { Loop } from '../runtime/loop.js'
import type { Server } from '../server/server.js'
import { checkDevice } from '../socket/bind-to-device.js'
import { dialPairs } from '../socket/option-pairs.js'
import { checkKind } from '../socket/socket-kinds.js'
import { SOCKET_NAMES, type SocketOptions } from '../socket/socket-options.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, oneOf, whole } from '../util/checks.js'
import { type Backoff, checkBackoff, type ReconnectOptions } from './backoff.js'
import type { Client } from './client.js'

/** What `connect` takes: handlers, and the options here. */
export interface ConnectOptions<In = Buffer, Out = Uint8Array | string, Context = undefined>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out> {
  /**
   * What to connect to: a port of this machine (`9000`), a host and a port
   * (`{ host: 'example.org', port: 9000 }`), a Unix socket (`{ path: '/run/my.sock' }`), or a URL
   * (`tcp://127.0.0.1:9000`, `unix:///run/my.sock`); see {@link Address}. All addresses of a name are
   * tried.
   */
  to: Address
  /**
   * A number: that many event loops of its own, each with a thread, 1 to 128. `'inline'`: one loop on
   * Node's own, without a thread. A server: its loops, of which the one with the fewest connections
   * is taken. Default: the loops that all of this JavaScript environment shares.
   */
  loops?: number | 'inline' | Server
  /** The loop of another connection, which has to be open. Not with `loops`. */
  loop?: Conn
  /**
   * Milliseconds that it may take to connect, the look-up of a name included; with `reconnect`, each
   * time. After that it fails with `ERR_CONNECT_TIMEOUT`. Default none: the system gives up sometime.
   */
  timeout?: number
  /** Gives up connecting, which rejects with the signal's reason; afterwards destroys the connection. */
  signal?: AbortSignal
  /**
   * An IP address of this machine to connect from, with or without a port: `10.0.0.7`,
   * `[fe80::1%eth0]:4000`. Of a host name only addresses of the same kind are tried. Default: what the
   * system chooses.
   */
  localAddress?: string
  /** Use this interface, such as `eth0`, whatever the routes say. TCP on Linux; some kernels ask for `CAP_NET_RAW`. */
  bindToDevice?: string
  /**
   * Send the first bytes with the SYN, where the peer has allowed it to this machine before (TCP fast
   * open). It then resolves at once, and the first write connects: a peer that is not there any more is
   * the connection's error. For protocols in which the client speaks first. TCP on Linux. Default false.
   */
  fastOpen?: boolean
  /** Bytes of each of a loop's two rings, a power of two from 4 KiB to 1 GiB. Only with loops of its own. Default 1 MiB. */
  ringBytes?: number
  /** See {@link ReconnectingOptions}. */
  reconnect?: false | undefined
}

/** What `connect` takes for a client that connects again. */
export interface ReconnectingOptions<In = Buffer, Out = Uint8Array | string, Context = undefined>
  extends Omit<ConnectOptions<In, Out, Context>, 'reconnect'> {
  /** Connect again when connecting fails, or when a connection is lost. `true`: by the defaults. */
  reconnect: true | ReconnectOptions
  /**
   * What `client.write` does while there is no connection: `'queue'` keeps messages, encoded at once,
   * and sends them first when there is one; `'refuse'` says `false`. Default `'queue'`; with a function
   * for `codec` `'refuse'`, the only choice, since a message is encoded for one connection.
   */
  offline?: 'queue' | 'refuse'
  /** Bytes that wait for a connection, over which `client.write` throws `ERR_WRITE_BUFFER_FULL`. Default 1 MiB. */
  maxOffline?: number
  /** `client.state` has changed. */
  state?(client: Client<In, Out, Context>): void
}

/** The options of `connect`, complete and checked. */
export interface ConnectSettings {
  readonly conn: ConnSettings
  /** `to` as its user wrote it, for error messages. */
  readonly to: string
  readonly destination: Destination
  readonly local: LocalAddress | undefined
  /** The interface to use. */
  readonly device: string | undefined
  /** Milliseconds, 0 for none. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  /** The one to use, if it was named. */
  readonly loop: Loop | undefined
}

/** What a client needs beside. */
export interface ClientSettings {
  readonly backoff: Backoff
  readonly queues: boolean
  readonly maxOffline: number
}

const NAMES: ReadonlySet<string> = new Set([
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
const CLIENT_NAMES: ReadonlySet<string> = new Set([...NAMES, 'offline', 'maxOffline', 'state'])

/** The codec if there is none in the options: made once, since clients are made by the thousands. */
let fallback: Codec<unknown, unknown> | undefined

/** Whether a client is asked for, not one connection. */
export function reconnects(options: unknown): options is ReconnectingOptions<never, never, never> {
  const { reconnect } = (options ?? {}) as { reconnect?: unknown }
  return reconnect !== undefined && reconnect !== false
}

/**
 * Checks and completes.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`
 */
export function checkConnect(
  options: ConnectOptions<never, never, never> | ReconnectingOptions<never, never, never>,
): ConnectSettings {
  checkNames(options, reconnects(options) ? CLIENT_NAMES : NAMES)
  checkHandlers(options)
  checkSignal(options.signal)
  const { to, loops, loop, bindToDevice } = options
  if (loop !== undefined && loops !== undefined)
    throw new MillraceError('ERR_INVALID_OPTION', 'loop and loops exclude each other')
  fallback ??= raw()
  const settings = checkConn(options, fallback, false, dialPairs(options.fastOpen))
  const place = destination(parseAddress(to, 'connect'))
  // TCP has all of them.
  if (place.kind === 'unix') checkKind(namedOf(options), 'unix')
  // One object in the other: V8 makes a dictionary of what is spread into one of so many fields, which
  // costs a connection 3 KB.
  return {
    conn: settings,
    to: showAddress(to),
    destination: place,
    local: checkLocal(options.localAddress, place),
    device: bindToDevice === undefined ? undefined : checkDevice(bindToDevice),
    timeout: whole('timeout', options.timeout, 0, 1),
    signal: options.signal,
    loop: checkLoop(loop),
  }
}

/** Options of the socket that were named: those that not every kind of socket has. */
function namedOf(
  options: SocketOptions & Pick<ConnectOptions, 'bindToDevice' | 'fastOpen'>,
): string[] {
  const names = [...SOCKET_NAMES, 'bindToDevice', 'fastOpen'] as const
  return names.filter((name) => options[name] !== undefined)
}

function checkLocal(local: unknown, { kind }: Destination): LocalAddress | undefined {
  if (local === undefined) return undefined
  if (typeof local !== 'string') throw invalidOption('localAddress', 'an IP address', local)
  if (kind === 'unix')
    throw new MillraceError('ERR_INVALID_OPTION', 'localAddress is for tcp, not for Unix sockets')
  return localAddress(local)
}

/**
 * Checks and completes what only a client takes.
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
      "offline has to be 'refuse' where codec is a function: a message is encoded for one connection",
    )
  }
  const most = Math.min(maxWriteBuffer, 1 << 20)
  return {
    backoff: checkBackoff(options.reconnect),
    queues: codecOf === undefined && oneOf('offline', offline, ['queue', 'refuse']) === 'queue',
    // All of it is written at once when there is a connection.
    maxOffline: whole('maxOffline', options.maxOffline, most, 1, maxWriteBuffer),
  }
}
