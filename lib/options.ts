/** What `serve` takes, checked in one place. */

import { availableParallelism } from 'node:os'
import type { Codec } from './codec.js'
import { checkCodec } from './connection.js'
import { invalidOption, MillraceError } from './errors.js'
import { DEFAULT_MAX, toNative, validate } from './framing.js'
import type { Handlers, Peer } from './handlers.js'
import type { ProfileInit } from './native.js'
import type { Server } from './server.js'

/** How new connections are spread over loops. */
export type Balance = 'round-robin' | 'source-hash' | 'least-connections'

/** What connections are held to: options of `serve`, and of everything else that makes connections. */
export interface ConnOptions<In, Out> {
  /**
   * How bytes become messages and back. A function is called for each connection, for codecs with a
   * state; what it returns must have the framing of the first. Default `raw()`: messages are chunks.
   */
  codec?: Codec<In, Out> | ((peer: Peer) => Codec<In, Out>)
  /** Switch Nagle's algorithm off. Default true. */
  noDelay?: boolean
  /** Bytes waiting to be sent over which `write` says `false`. Default 1 MiB; `drain` comes at half. */
  highWaterMark?: number
  /** Bytes waiting to be sent over which a connection is destroyed with `ERR_WRITE_BUFFER_FULL`. Default 16 MiB. */
  maxWriteBuffer?: number
  /** While more than `highWaterMark` bytes wait to be sent, do not read. Default true. */
  autoPause?: boolean
  /** Bytes of received input that wait for a connection that nobody pulls from. Default 1 MiB (or 1,024 frames). */
  maxParked?: number
  /** Keep a connection after the peer's FIN, until `end` is called. Default false. */
  allowHalfOpen?: boolean
  /** Milliseconds that an ended connection may take to flush and to see the peer's FIN. Default 30,000. */
  lingerTimeout?: number
}

/** What `serve` takes: handlers, and the options here. */
export interface ServeOptions<In, Out, Data> extends Handlers<In, Out, Data>, ConnOptions<In, Out> {
  /**
   * Where to listen, one address or several. `tcp://host:port`: a host may be an IPv4 address, an
   * IPv6 address in brackets, a name (all of its addresses, on one port), or nothing (all addresses
   * of this machine); port 0 takes any, and `server.addresses` tells which. `unix:///run/my.sock`: a
   * Unix socket, whose path is taken over only from a socket that nobody answers on, and removed at
   * the end; `unix://@name` is an abstract name (Linux).
   */
  listen: string | readonly string[]
  /**
   * A number: that many event loops of its own, each with a thread, 1 to 128. `'inline'`: one loop on
   * Node's own, without a thread. Another server: its loops. Default: the loops that all of this
   * JavaScript environment shares, max(1, min(4, available parallelism − 1)) of them.
   */
  loops?: number | 'inline' | Server<unknown, unknown, unknown>
  /** How connections are spread over the loops. Default `'round-robin'`. */
  balance?: Balance
  /** Connections that the kernel may hold ready, 1 or more. Default 4096; the kernel caps it. */
  backlog?: number
  /** The permissions of a Unix socket's path, such as `0o660`. Default: what the process's umask leaves. */
  mode?: number
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
  readonly noDelay: boolean
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly autoPause: boolean
  readonly maxParked: { bytes: number; frames: number }
  readonly allowHalfOpen: boolean
  readonly lingerTimeout: number
}

/** The options of `serve` as numbers, complete and checked. */
export interface Settings extends ConnSettings {
  readonly listen: readonly string[]
  readonly balance: Balance
  readonly backlog: number
  /** Of the path of a Unix socket. */
  readonly mode: number | undefined
  readonly maxConnections: number
  readonly refuse: boolean
}

/** Frames that a connection nobody pulls from may have waiting. */
export const MAX_PARKED_FRAMES = 1024
/** The largest of most numbers: they cross as 32-bit integers. */
export const INT = 0x7fffffff

/** Names of what connections are held to. */
export const CONN_NAMES: readonly string[] = [
  'codec',
  'noDelay',
  'highWaterMark',
  'maxWriteBuffer',
  'autoPause',
  'maxParked',
  'allowHalfOpen',
  'lingerTimeout',
]
/** Names of handlers. */
export const HANDLERS = ['data', 'open', 'message', 'drain', 'close', 'error'] as const

/** A whole number, or what stands for none. */
export function whole(
  name: string,
  value: unknown,
  fallback: number,
  least: number,
  most: number = INT,
): number {
  if (value === undefined) return fallback
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
    throw invalidOption(name, `a whole number from ${least} to ${most}`, value)
  }
  return value as number
}

export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value)
  return value
}

/** One of some words, the first of which stands for none. */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  values: readonly [T, ...T[]],
): T {
  if (value === undefined) return values[0]
  if (!values.includes(value as T)) throw invalidOption(name, `one of ${values.join(', ')}`, value)
  return value as T
}

/** Bytes that a codec's messages need, before a connection that has them is cut off. */
const DEFAULT_MARKS = { high: DEFAULT_MAX, most: 16 * DEFAULT_MAX }

/** Every name that `serve` knows. */
const NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...CONN_NAMES,
  'listen',
  'loops',
  'balance',
  'backlog',
  'mode',
  'maxConnections',
  'onFull',
  'ringBytes',
  'signal',
])

/**
 * Checks and completes.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function check(
  options: ServeOptions<never, never, never>,
  fallback: Codec<unknown, unknown>,
): Settings {
  checkNames(options, NAMES)
  checkHandlers(options)
  const listen = typeof options.listen === 'string' ? [options.listen] : options.listen
  if (!Array.isArray(listen) || listen.length === 0) {
    throw invalidOption('listen', 'an address or several', options.listen)
  }
  checkSignal(options.signal)
  return {
    ...checkConn(options, fallback),
    listen,
    balance: oneOf('balance', options.balance, ['round-robin', 'source-hash', 'least-connections']),
    backlog: whole('backlog', options.backlog, 4096, 1),
    mode: options.mode === undefined ? undefined : whole('mode', options.mode, 0, 0, 0o777),
    maxConnections: whole('maxConnections', options.maxConnections, 0, 1),
    refuse: oneOf('onFull', options.onFull, ['wait', 'refuse']) === 'refuse',
  }
}

/** Refuses options that there are not. */
export function checkNames(options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'an object', options)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name))
      throw new MillraceError('ERR_INVALID_OPTION', `there is no option ${name}`)
  }
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

/** Checks and completes what connections are held to, wherever they come from. */
export function checkConn(
  options: ConnOptions<never, never>,
  fallback: Codec<unknown, unknown>,
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
    noDelay: flag('noDelay', options.noDelay, true),
    highWaterMark,
    maxWriteBuffer: whole(
      'maxWriteBuffer',
      options.maxWriteBuffer,
      Math.max(DEFAULT_MARKS.most, highWaterMark),
      highWaterMark,
    ),
    autoPause: flag('autoPause', options.autoPause, true),
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
    noDelay: settings.noDelay,
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
