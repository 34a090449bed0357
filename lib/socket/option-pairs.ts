/** Checks the options of sockets, and converts them to the numbers that the native half takes. */

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
import { checkNames, flag, whole } from '../util/checks.js'
import type { KeepAlive, ListenerOptions, SocketOptions } from './socket-options.js'

/** The longest time between probes in seconds. Linux has this limit. */
const MAX_KEEP_ALIVE_SECONDS = 32_767
/** The longest time in seconds that Linux can wait for a connection's first bytes. */
const MAX_DEFER_SECONDS = 255
/** The number of connections that may wait with `fastOpen: true`. */
const FAST_OPEN_QUEUE = 256

/** Options and their values, alternating: `[option, value, option, value, …]`. */
export type OptionPairs = number[]

/** Converts milliseconds to seconds. Rounds up, so that no positive time becomes 0. */
function seconds(name: string, milliseconds: unknown, most: number): number {
  return Math.ceil(whole(name, milliseconds, 0, 1, most * 1000) / 1000)
}

/** Whether this system has an option. Remembered, because thousands of connections may ask. */
const supported: (boolean | undefined)[] = []

/**
 * Adds an option to pairs.
 *
 * @throws `ERR_UNSUPPORTED` if this system does not have it
 */
function put(pairs: OptionPairs, name: string, option: number, value: number): void {
  supported[option] ??= hasSocketOption(option)
  if (!supported[option]) {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have ${name}`)
  }
  pairs.push(option, value)
}

const KEEP_ALIVE_NAMES: ReadonlySet<string> = new Set(['idle', 'interval', 'count'])

function putKeepAlive(pairs: OptionPairs, keepAlive: unknown): void {
  if (typeof keepAlive === 'boolean') {
    put(pairs, 'keepAlive', OPTION_KEEP_ALIVE, keepAlive ? 1 : 0)
    return
  }
  if (typeof keepAlive !== 'object' || keepAlive === null || Array.isArray(keepAlive)) {
    throw invalidOption('keepAlive', 'true, false or an object', keepAlive)
  }
  checkNames(keepAlive, KEEP_ALIVE_NAMES, ' of keepAlive')
  const { idle, interval, count } = keepAlive as KeepAlive
  put(pairs, 'keepAlive', OPTION_KEEP_ALIVE, 1)
  const time = (name: string, option: number, value: unknown) => {
    if (value !== undefined) put(pairs, name, option, seconds(name, value, MAX_KEEP_ALIVE_SECONDS))
  }
  time('keepAlive.idle', OPTION_KEEP_IDLE, idle)
  time('keepAlive.interval', OPTION_KEEP_INTERVAL, interval)
  if (count !== undefined)
    put(pairs, 'keepAlive.count', OPTION_KEEP_COUNT, whole('keepAlive.count', count, 0, 1, 127))
}

/**
 * Checks the options of a connection's socket. The pairs contain only the options that are set.
 *
 * @param defaultNoDelay the value of `noDelay` if it is not set
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function socketPairs(options: SocketOptions, defaultNoDelay?: boolean): OptionPairs {
  const pairs: OptionPairs = []
  const {
    noDelay = defaultNoDelay,
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

/**
 * Checks the options of a listening socket that become pairs: `fastOpen` and `deferAccept`.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
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
    const wait = seconds('deferAccept', deferAccept, MAX_DEFER_SECONDS)
    put(pairs, 'deferAccept', OPTION_DEFER_ACCEPT, wait)
  }
  return pairs
}

/**
 * Checks the options of a socket before it connects: `fastOpen`.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function dialPairs(fastOpen: unknown): OptionPairs {
  const pairs: OptionPairs = []
  if (flag('fastOpen', fastOpen, false)) put(pairs, 'fastOpen', OPTION_FAST_OPEN_CONNECT, 1)
  return pairs
}
