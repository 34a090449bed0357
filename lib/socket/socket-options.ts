/** Options of sockets: their types, their checks, and the numbers that they come to. */

import { invalidOption, MillraceError } from '../errors.js'
import { hasSocketOption } from '../native/binding.js'
import {
  OPTION_DEFER_ACCEPT,
  OPTION_DSCP,
  OPTION_FAST_OPEN,
  OPTION_FAST_OPEN_CONNECT,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_COUNT,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_NO_DELAY,
  OPTION_QUICK_ACK,
  OPTION_RECEIVE_BUFFER,
  OPTION_RESET,
  OPTION_SEND_BUFFER,
  OPTION_USER_TIMEOUT,
} from '../native/record.js'
import { flag, whole } from '../util/checks.js'

/** When a peer that is silent is probed. What is left out is the system's. */
export interface KeepAlive {
  /** Milliseconds of silence before the first probe, 1 to 32,767,000; rounded up to seconds. */
  idle?: number
  /** Milliseconds between probes, 1 to 32,767,000; rounded up to seconds. */
  interval?: number
  /** Probes without an answer before the connection is lost, 1 to 127. */
  count?: number
}

/** Options of a connection's socket. What is left out is the system's, but for `noDelay`. */
export interface SocketOptions {
  /** Switch Nagle's algorithm off. TCP. Default true. */
  noDelay?: boolean
  /** Probe a peer that is silent. TCP. */
  keepAlive?: boolean | KeepAlive
  /**
   * `0`: `destroy()` resets the connection (RST), and what the kernel still had to send is dropped;
   * `end()` is not changed. `false`: it does not. TCP. For how long an ended connection may take see
   * `lingerTimeout`.
   */
  linger?: 0 | false
  /** Bytes of the kernel's buffer for what is received, 1 or more. Linux reserves twice as much, and says so. */
  receiveBuffer?: number
  /** Bytes of the kernel's buffer for what is sent, 1 or more. Linux reserves twice as much, and says so. */
  sendBuffer?: number
  /** Milliseconds that sent bytes may stay unacknowledged before the connection is lost; 0 is the system's. TCP on Linux. */
  userTimeout?: number
  /** Acknowledge at once. The kernel may go back to delaying by itself. TCP on Linux. */
  quickAck?: boolean
  /** The class of the packets (differentiated services), 0 to 63. TCP; not on Windows. */
  dscp?: number
}

/** Options of a listening socket, beside those that its connections have. */
export interface ListenerOptions {
  /** Connections that the kernel may hold ready, 1 or more. Default 4096; the kernel caps it. */
  backlog?: number
  /** The permissions of a Unix socket's path, such as `0o660`. Default: what the process's umask leaves. */
  mode?: number
  /**
   * A socket for each loop on one port, each of which accepts for itself, and the kernel spreads
   * connections over them: `balance` is not used. Other processes of the same user may share the port.
   * TCP on Linux and FreeBSD. Default false.
   */
  reusePort?: boolean
  /** Take data that comes with the SYN of a peer seen before: `true`, or how many such may wait, 1 to 65,535. TCP on Linux. */
  fastOpen?: boolean | number
  /** Milliseconds to wait for a connection's first bytes before it is accepted, 1 to 255,000; rounded up to seconds. TCP on Linux. */
  deferAccept?: number
  /** On an IPv6 address, whether IPv4 is refused. Default: taken only where the address has no host. TCP. */
  ipv6Only?: boolean
  /** Take only what comes in by this interface, such as `eth0`. TCP on Linux. */
  bindToDevice?: string
}

/** The names of {@link SocketOptions}. */
export const SOCKET_NAMES = [
  'noDelay',
  'keepAlive',
  'linger',
  'receiveBuffer',
  'sendBuffer',
  'userTimeout',
  'quickAck',
  'dscp',
] as const

/** The names of {@link ListenerOptions}. */
export const LISTENER_NAMES = [
  'backlog',
  'mode',
  'reusePort',
  'fastOpen',
  'deferAccept',
  'ipv6Only',
  'bindToDevice',
] as const

/** What a Unix socket has of them. */
const OF_UNIX: ReadonlySet<string> = new Set(['receiveBuffer', 'sendBuffer', 'backlog', 'mode'])
/** What TCP has not. */
const OF_UNIX_ONLY: ReadonlySet<string> = new Set(['mode'])
/** What a socket has settled that listens already. */
const SETTLED: ReadonlySet<string> = new Set([
  'backlog',
  'mode',
  'reusePort',
  'ipv6Only',
  'bindToDevice',
])

/** Seconds of a probe at most, as Linux has it. */
const MOST_SECONDS = 32_767
/** Seconds that Linux can wait for the first bytes. */
const MOST_DEFERRED = 255
/** Connections that may wait with `fastOpen: true`. */
const FAST_OPEN_QUEUE = 256

/** Options with their numbers, one after the other, as the native half takes them. */
export type OptionPairs = number[]

function seconds(name: string, milliseconds: unknown, most: number): number {
  return Math.ceil(whole(name, milliseconds, 0, 1, most * 1000) / 1000)
}

/** Of each option whether this system has it, once it was asked for: thousands of connections ask. */
const supported: (boolean | undefined)[] = []

/** Adds an option to pairs, if this system has it. */
function put(pairs: OptionPairs, name: string, option: number, value: number): void {
  supported[option] ??= hasSocketOption(option)
  if (!supported[option]) {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have ${name}`)
  }
  pairs.push(option, value)
}

function putKeepAlive(pairs: OptionPairs, keepAlive: unknown): void {
  if (typeof keepAlive === 'boolean') {
    put(pairs, 'keepAlive', OPTION_KEEP_ALIVE, keepAlive ? 1 : 0)
    return
  }
  if (typeof keepAlive !== 'object' || keepAlive === null || Array.isArray(keepAlive)) {
    throw invalidOption('keepAlive', 'true, false or an object', keepAlive)
  }
  for (const name of Object.keys(keepAlive)) {
    if (!['idle', 'interval', 'count'].includes(name))
      throw new MillraceError('ERR_INVALID_OPTION', `keepAlive has no ${name}`)
  }
  const { idle, interval, count } = keepAlive as KeepAlive
  put(pairs, 'keepAlive', OPTION_KEEP_ALIVE, 1)
  if (idle !== undefined)
    put(pairs, 'keepAlive.idle', OPTION_KEEP_IDLE, seconds('keepAlive.idle', idle, MOST_SECONDS))
  if (interval !== undefined)
    put(
      pairs,
      'keepAlive.interval',
      OPTION_KEEP_INTERVAL,
      seconds('keepAlive.interval', interval, MOST_SECONDS),
    )
  if (count !== undefined)
    put(pairs, 'keepAlive.count', OPTION_KEEP_COUNT, whole('keepAlive.count', count, 0, 1, 127))
}

/**
 * Checks options of a connection's socket; only those that are given are there.
 *
 * @param byDefault what `noDelay` is where it is not given
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function socketPairs(options: SocketOptions, byDefault?: boolean): OptionPairs {
  const pairs: OptionPairs = []
  const {
    noDelay = byDefault,
    keepAlive,
    linger,
    receiveBuffer,
    sendBuffer,
    userTimeout,
    quickAck,
    dscp,
  } = options
  const bit = (name: string, option: number, value: unknown) => {
    if (value !== undefined) put(pairs, name, option, flag(name, value, false) ? 1 : 0)
  }
  const number = (name: string, option: number, value: unknown, least: number, most?: number) => {
    if (value !== undefined) put(pairs, name, option, whole(name, value, 0, least, most))
  }
  bit('noDelay', OPTION_NO_DELAY, noDelay)
  if (keepAlive !== undefined) putKeepAlive(pairs, keepAlive)
  if (linger !== undefined) {
    if (linger !== 0 && linger !== false) throw invalidOption('linger', '0 or false', linger)
    put(pairs, 'linger', OPTION_RESET, linger === 0 ? 1 : 0)
  }
  number('receiveBuffer', OPTION_RECEIVE_BUFFER, receiveBuffer, 1)
  number('sendBuffer', OPTION_SEND_BUFFER, sendBuffer, 1)
  number('userTimeout', OPTION_USER_TIMEOUT, userTimeout, 0)
  bit('quickAck', OPTION_QUICK_ACK, quickAck)
  number('dscp', OPTION_DSCP, dscp, 0, 63)
  return pairs
}

/** Checks what a listening socket has beside: `fastOpen`, `deferAccept`. */
export function listenerPairs(options: ListenerOptions): OptionPairs {
  const pairs: OptionPairs = []
  const { fastOpen, deferAccept } = options
  if (fastOpen !== undefined && fastOpen !== false) {
    if (fastOpen !== true && typeof fastOpen !== 'number')
      throw invalidOption('fastOpen', 'true, false or a whole number from 1 to 65535', fastOpen)
    const queue = fastOpen === true ? FAST_OPEN_QUEUE : whole('fastOpen', fastOpen, 0, 1, 65_535)
    put(pairs, 'fastOpen', OPTION_FAST_OPEN, queue)
  }
  if (deferAccept !== undefined) {
    const wait = seconds('deferAccept', deferAccept, MOST_DEFERRED)
    put(pairs, 'deferAccept', OPTION_DEFER_ACCEPT, wait)
  }
  return pairs
}

/** Checks what a socket that is to connect has beside: `fastOpen`. */
export function dialPairs(fastOpen: unknown): OptionPairs {
  const pairs: OptionPairs = []
  if (flag('fastOpen', fastOpen, false)) put(pairs, 'fastOpen', OPTION_FAST_OPEN_CONNECT, 1)
  return pairs
}

/** What options are asked of. */
export type SocketKind = 'tcp' | 'unix' | 'inherited'

/**
 * Refuses what a kind of socket does not have, of what was asked of that very socket.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkKind(names: Iterable<string>, kind: SocketKind): void {
  for (const name of names) {
    if (kind === 'unix' ? !OF_UNIX.has(name) : kind === 'tcp' && OF_UNIX_ONLY.has(name)) {
      const what = kind === 'unix' ? 'a Unix socket' : 'a TCP socket'
      throw new MillraceError('ERR_INVALID_OPTION', `${what} has no ${name}`)
    }
    if (kind === 'inherited' && SETTLED.has(name)) {
      const why = 'cannot be said of a socket that listens already'
      throw new MillraceError('ERR_INVALID_OPTION', `${name} ${why}`)
    }
  }
}
