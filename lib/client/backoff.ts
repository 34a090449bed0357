/** How long a client waits between its attempts to connect. */

import { invalidOption } from '../errors.js'
import { checkNames, whole } from '../util/checks.js'
import type { ReconnectOptions } from './connect-options.js'

/** {@link ReconnectOptions}, complete and checked. */
export interface Backoff {
  readonly min: number
  readonly max: number
  readonly factor: number
  readonly jitter: number
  readonly attempts: number
}

/** The waits in milliseconds that are used unless the options say otherwise. */
const DEFAULT_MIN_WAIT = 100
const DEFAULT_MAX_WAIT = 30_000

const BACKOFF_NAMES: ReadonlySet<string> = new Set(['min', 'max', 'factor', 'jitter', 'attempts'])

/** What a connection achieved before it ended. */
interface EndedConnection {
  /** Bytes received. */
  readonly received: number
  /** Milliseconds from opening to closing. */
  readonly lasted: number
}

/**
 * Returns whether a connection was a success, so that failures are counted from 0 again: it received
 * something and lasted as long as the wait before it, or it lasted as long as the longest wait.
 *
 * A peer that accepts a connection only to close it has failed, as if it had refused the connection, even
 * if it sends a greeting first ("too many connections").
 *
 * @param failures the number of failures in a row before the connection
 */
export function wasSuccess(
  backoff: Backoff,
  failures: number,
  { received, lasted }: EndedConnection,
): boolean {
  // Without jitter, so that equal connections are judged alike.
  const wait = waitBefore(backoff, failures, 0)
  return lasted >= (received > 0 ? wait : backoff.max)
}

/**
 * Returns the milliseconds to wait before the next attempt.
 *
 * @param failures the number of failures in a row so far. 0 counts as 1
 * @param chance a random number from 0 to 1. 0 makes the wait as long as possible
 */
export function waitBefore(backoff: Backoff, failures: number, chance: number): number {
  const { min, max, factor, jitter } = backoff
  const full = Math.min(max, min * factor ** Math.max(0, failures - 1))
  return Math.round(full * (1 - jitter * chance))
}

/**
 * Checks and completes the option `reconnect`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkBackoff(reconnect: unknown): Backoff {
  if (reconnect !== true && (typeof reconnect !== 'object' || reconnect === null))
    throw invalidOption('reconnect', 'true or an object', reconnect)
  const options: ReconnectOptions = reconnect === true ? {} : reconnect
  checkNames(options, BACKOFF_NAMES, ' of reconnect')
  // `max` first, because it bounds the default of `min`.
  const most = whole('reconnect.max', options.max, DEFAULT_MAX_WAIT, 1)
  const min = whole('reconnect.min', options.min, Math.min(DEFAULT_MIN_WAIT, most), 1)
  const { attempts = Number.POSITIVE_INFINITY } = options
  return {
    min,
    max: whole('reconnect.max', options.max, Math.max(most, min), min),
    factor: between('reconnect.factor', options.factor, 2, 1, 1000),
    jitter: between('reconnect.jitter', options.jitter, 0.5, 0, 1),
    attempts:
      attempts === Number.POSITIVE_INFINITY
        ? attempts
        : whole('reconnect.attempts', attempts, 1, 1),
  }
}

/** Checks a number from `least` to `most`. */
function between(
  name: string,
  value: unknown,
  defaultValue: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return defaultValue
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw invalidOption(name, `a number from ${least} to ${most}`, value)
  return value
}
