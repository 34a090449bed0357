/** What `serve` takes, checked in one place. */

import { availableParallelism } from 'node:os'
import { isFields } from '../address/format.js'
import { type ParsedAddress, parseAddress } from '../address/parse-address.js'
import { type Codec, checkCodec } from '../codec/codec.js'
import { DEFAULT_MAX, toNative, validate } from '../codec/framing.js'
import type { Handlers, Peer } from '../connection/handlers.js'
import { invalidOption, MillraceError } from '../errors.js'
import { balancesPorts, type ProfileInit } from '../native/binding.js'
import { listenerPairs, type OptionPairs, socketPairs } from '../socket/option-pairs.js'
import {
  LISTENER_NAMES,
  type ListenerOptions,
  SOCKET_NAMES,
  type SocketOptions,
} from '../socket/socket-options.js'
import { checkNames, flag, oneOf, whole } from '../util/checks.js'
import { type Listen, OwnSpec, placeOf } from './listen-entry.js'
import type { Server } from './server.js'

export { checkNames }

/** How new connections are spread over loops. */
export type Balance = 'round-robin' | 'source-hash' | 'least-connections'

/** What connections are held to: options of `serve`, and of everything else that makes connections. */
export interface ConnOptions<In, Out> extends SocketOptions {
  /**
   * How bytes become messages and back. A function is called for each connection, for codecs with a
   * state; what it returns must have the framing of the first. Default `raw()`: messages are chunks.
   */
  codec?: Codec<In, Out> | ((peer: Peer) => Codec<In, Out>)
  /** Bytes waiting to be sent over which `write` says `false`. Default 1 MiB; `drain` comes at half. */
  highWaterMark?: number
  /** Bytes waiting to be sent over which a connection is destroyed with `ERR_WRITE_BUFFER_FULL`. Default 16 MiB. */
  maxWriteBuffer?: number
  /**
   * While more than `highWaterMark` bytes wait to be sent, do not read. Default true for `serve`, false
   * for `connect`: where both ends do it, each may wait for the other to read.
   */
  autoPause?: boolean
  /** Bytes of received input that wait for a connection that nobody pulls from. Default 1 MiB (or 1,024 frames). */
  maxParked?: number
  /** Keep a connection after the peer's FIN, until `end` is called. Default false. */
  allowHalfOpen?: boolean
  /** Milliseconds that an ended connection may take to flush and to see the peer's FIN. Default 30,000. */
  lingerTimeout?: number
}

/** What `serve` takes: handlers, and the options here. */
export interface ServeOptions<In, Out, Context>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {
  /**
   * Where to listen, one address or several: a port on all addresses of this machine (`9000`), a host
   * and a port (`{ host: '127.0.0.1', port: 9000 }`), a Unix socket (`{ path: '/run/my.sock' }`), or a URL
   * (`tcp://127.0.0.1:9000`, `unix:///run/my.sock`, `fd://3`, `systemd://web`); see {@link Address}.
   * Options and handlers of one listener stand beside its address (`ListenEntry`, `listener`).
   *
   * Port 0 lets the system choose; `server.port` shows the port. All addresses of a name get the same
   * port. The path of a Unix socket is reused only if no process listens on it any more, and removed when
   * the listener closes.
   */
  listen:
    | Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>
    | readonly Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>[]
  /**
   * A number: that many event loops of its own, each with a thread, 1 to 128. `'inline'`: one loop on
   * Node's own, without a thread. Another server: its loops. Default: the loops that all of this
   * JavaScript environment shares, max(1, min(4, available parallelism − 1)) of them.
   */
  loops?: number | 'inline' | Server<unknown, unknown, unknown>
  /** How connections are spread over the loops. Default `'round-robin'`. */
  balance?: Balance
  /** Connections at a time. Default none. When reached, accepting stops, or see `onFull`. */
  maxConnections?: number
  /** What happens to connections over `maxConnections`: they wait in the backlog, or are closed. Default `'wait'`. */
  onFull?: 'wait' | 'refuse'
  /** Bytes of each of a loop's two rings, a power of two from 4 KiB to 1 GiB. Only with loops of its own. Default 1 MiB. */
  ringBytes?: number
  /** Closes the server, as `close()` does. */
  signal?: AbortSignal
}

/** What connections are held to, complete and checked. */
export interface ConnSettings {
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  /** Options of sockets with their numbers. */
  readonly socket: OptionPairs
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly autoPause: boolean
  readonly maxParked: { bytes: number; frames: number }
  readonly allowHalfOpen: boolean
  readonly lingerTimeout: number
}

/** One entry of `listen` with all that holds for it, complete and checked. */
export interface ListenSettings extends ConnSettings {
  readonly address: ParsedAddress
  readonly handlers: Handlers<unknown, unknown, unknown>
  /** Its messages are of other types than the server's. */
  readonly isOwn: boolean
  readonly backlog: number
  /** Of the path of a Unix socket. */
  readonly mode: number | undefined
  readonly reusePort: boolean
  readonly ipv6Only: boolean | undefined
  readonly device: string | undefined
  /** Options that were named for this very listener. */
  readonly named: ReadonlySet<string>
}

/** The options of `serve` as numbers, complete and checked. */
export interface Settings {
  readonly listen: readonly ListenSettings[]
  /** Checks one more entry of `listen`. */
  readonly entry: (entry: unknown) => ListenSettings
  readonly balance: Balance
  readonly maxConnections: number
  readonly refuse: boolean
}

/** Frames that a connection nobody pulls from may have waiting. */
export const MAX_PARKED_FRAMES = 1024

/** Names of what connections are held to. */
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
/** Names of handlers. */
export const HANDLERS = ['context', 'open', 'message', 'drain', 'close', 'error'] as const

/** Bytes that a codec's messages need, before a connection that has them is cut off. */
const DEFAULT_MARKS = { high: DEFAULT_MAX, most: 16 * DEFAULT_MAX }

/** What a listener may say for itself, and else has from its server; its codec and handlers, too. */
const INHERITED: readonly string[] = [
  ...LISTENER_NAMES,
  ...CONN_NAMES.filter((name) => name !== 'codec'),
]

/** Every name that a spec knows. */
const SPEC_NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...INHERITED,
  'codec',
  'address',
  'host',
  'port',
  'path',
])

/** Every name that `serve` knows. */
const NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...CONN_NAMES,
  ...LISTENER_NAMES,
  'listen',
  'loops',
  'balance',
  'maxConnections',
  'onFull',
  'ringBytes',
  'signal',
])

/** A server's options, whatever its messages are. */
type AnyOptions = ServeOptions<never, never, never>

/**
 * Checks and completes.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, or for an entry that is none `ERR_INVALID_ADDRESS`
 */
export function check(options: AnyOptions, fallback: Codec<unknown, unknown>): Settings {
  checkNames(options, NAMES)
  const { listen } = options as { listen: unknown }
  const isObject = typeof listen === 'object' && listen !== null && !Array.isArray(listen)
  const isOne = typeof listen === 'string' || typeof listen === 'number' || isObject
  if (!isOne && (!Array.isArray(listen) || listen.length === 0)) {
    throw invalidOption('listen', 'an address or several', listen)
  }
  checkSignal(options.signal)
  // Its own options are checked where no listener has them, too.
  const server = listenSettings(options, { fallback, isOwn: false, named: NONE })
  const entry = (each: unknown) => checkEntry(each, options, server, fallback)
  return {
    listen: (isOne ? [listen] : (listen as unknown[])).map(entry),
    entry,
    balance: oneOf('balance', options.balance, ['round-robin', 'source-hash', 'least-connections']),
    maxConnections: whole('maxConnections', options.maxConnections, 0, 1),
    refuse: oneOf('onFull', options.onFull, ['wait', 'refuse']) === 'refuse',
  }
}

const NONE: ReadonlySet<string> = new Set()

/** One entry of `listen`: an address, a spec, or what `listener` made. */
function checkEntry(
  entry: unknown,
  options: AnyOptions,
  server: SharedSettings,
  fallback: Codec<unknown, unknown>,
): ListenSettings {
  const isOwn = entry instanceof OwnSpec
  const spec: unknown = isOwn ? entry.spec : entry
  if (!isFields(spec)) return { ...server, address: parseAddress(spec, 'listen') }
  const address = parseAddress(placeOf(spec), 'listen')
  checkNames(spec, SPEC_NAMES, ' of a listener')
  const given = Object.entries(spec).filter(([, value]) => value !== undefined)
  const names: readonly string[] = isOwn ? INHERITED : [...INHERITED, ...HANDLERS, 'codec']
  const defaults = names.map((name) => [
    name,
    (options as unknown as Record<string, unknown>)[name],
  ])
  const merged = Object.fromEntries([...defaults, ...given]) as unknown as AnyOptions
  const { error } = options as Handlers<unknown, unknown, unknown>
  if (isOwn && spec.error === undefined && error !== undefined) {
    // Its connections are of other types than that handler expects.
    Object.assign(merged, { error: (thrown: Error) => error(thrown) })
  }
  const named = new Set(given.map(([name]) => name).filter((name) => SOCKET.has(name)))
  return { ...listenSettings(merged, { fallback, isOwn, named }), address }
}

/** Names that not every kind of socket has. */
const SOCKET: ReadonlySet<string> = new Set([...SOCKET_NAMES, ...LISTENER_NAMES])

/** What an entry has beside its address. */
type SharedSettings = Omit<ListenSettings, 'address'>

function listenSettings(
  options: AnyOptions,
  how: { fallback: Codec<unknown, unknown>; isOwn: boolean; named: ReadonlySet<string> },
): SharedSettings {
  checkHandlers(options)
  const settings = checkConn(options, how.fallback, true)
  const { mode, ipv6Only, bindToDevice } = options
  const reusePort = flag('reusePort', options.reusePort, false)
  if (reusePort && !balancesPorts()) {
    const why = 'does not spread connections over the sockets of one port (reusePort)'
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} ${why}`)
  }
  return {
    ...settings,
    socket: [...settings.socket, ...listenerPairs(options)],
    handlers: options as unknown as Handlers<unknown, unknown, unknown>,
    isOwn: how.isOwn,
    backlog: whole('backlog', options.backlog, 4096, 1),
    mode: mode === undefined ? undefined : whole('mode', mode, 0, 0, 0o777),
    reusePort,
    ipv6Only: ipv6Only === undefined ? undefined : flag('ipv6Only', ipv6Only, false),
    device: bindToDevice === undefined ? undefined : device(bindToDevice),
    named: how.named,
  }
}

/** Bytes in the name of an interface at most. */
const MAX_DEVICE = 15

/**
 * Checks the name of an interface.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function device(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0') || name.length > MAX_DEVICE) {
    throw invalidOption('bindToDevice', 'the name of an interface', name)
  }
  if (process.platform !== 'linux') {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have bindToDevice`)
  }
  return name
}

/** Refuses handlers that are no functions. */
export function checkHandlers(options: Handlers<never, never, never>): void {
  for (const name of HANDLERS) {
    const handler = options[name]
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, 'a function', handler)
    }
  }
}

/** Refuses a signal that is none. */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidOption('signal', 'an AbortSignal', signal)
  }
}

/**
 * Checks and completes what connections are held to, wherever they come from.
 *
 * @param beside options of their sockets that are checked already
 */
export function checkConn(
  options: ConnOptions<never, never>,
  fallback: Codec<unknown, unknown>,
  autoPause: boolean,
  beside: OptionPairs = [],
): ConnSettings {
  const { codec = fallback } = options as {
    codec?: Codec<unknown, unknown> | ((peer: Peer) => Codec<unknown, unknown>)
  }
  const isFunction = typeof codec === 'function'
  // The framing goes to the loop before there is a connection: a function is asked once for it.
  const first = checkCodec(isFunction ? codec({ remote: '', local: '' }) : codec)
  validate(first.framing)
  const highWaterMark = whole('highWaterMark', options.highWaterMark, DEFAULT_MARKS.high, 1)
  return {
    codec: first,
    codecOf: isFunction ? codec : undefined,
    // Where nothing is said, small messages do not wait for others.
    socket: socketPairs(options, true).concat(beside),
    highWaterMark,
    maxWriteBuffer: whole(
      'maxWriteBuffer',
      options.maxWriteBuffer,
      Math.max(DEFAULT_MARKS.most, highWaterMark),
      highWaterMark,
    ),
    autoPause: flag('autoPause', options.autoPause, autoPause),
    maxParked: {
      bytes: whole('maxParked', options.maxParked, DEFAULT_MAX, 1),
      frames: MAX_PARKED_FRAMES,
    },
    allowHalfOpen: flag('allowHalfOpen', options.allowHalfOpen, false),
    lingerTimeout: whole('lingerTimeout', options.lingerTimeout, 30_000, 1),
  }
}

/** The same, as the native half takes it. */
export function profileInit(settings: ConnSettings): ProfileInit {
  return {
    framing: toNative(settings.codec.framing),
    highWaterMark: settings.highWaterMark,
    autoPause: settings.autoPause,
    allowHalfOpen: settings.allowHalfOpen,
    lingerMs: settings.lingerTimeout,
    socket: settings.socket,
  }
}

/** How many loops the shared group has. */
export function defaultLoops(): number {
  return Math.max(1, Math.min(4, availableParallelism() - 1))
}

/** Checks the size of rings. */
export function checkRingBytes(value: unknown): number {
  const bytes = whole('ringBytes', value, 1 << 20, 4096, 1 << 30)
  if ((bytes & (bytes - 1)) !== 0) throw invalidOption('ringBytes', 'a power of two', value)
  return bytes
}
