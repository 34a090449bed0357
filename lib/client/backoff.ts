/** How long to wait between tries. */

import { invalidOption, MillraceError } from '../errors.js'
import { whole } from '../util/checks.js'

/** How long to wait before the next try. */
export interface ReconnectOptions {
  /** Milliseconds before the first try after a failure or a loss. Default 100. */
  min?: number
  /** Milliseconds at most. Default 30,000. */
  max?: number
  /** What the wait is multiplied by after each further failure in a row, 1 or more. Default 2. */
  factor?: number
  /** The part of a wait that is left to chance, 0 to 1, so that not all clients come at once. Default 0.5. */
  jitter?: number
  /**
   * Failures in a row after which it gives up. A connection counts as one, too, if it lasted less than
   * the wait before it (at least `min`), or than `max` if nothing was received. Default `Infinity`.
   */
  attempts?: number
}

/** How to wait, complete and checked. */
export interface Backoff {
  readonly min: number
  readonly max: number
  readonly factor: number
  readonly jitter: number
  readonly attempts: number
}

const BACKOFF_NAMES: ReadonlySet<string> = new Set(['min', 'max', 'factor', 'jitter', 'attempts'])

/** A connection that has ended, as far as it tells whether the peer is well again. */
interface Past {
  /** Bytes. */
  readonly received: number
  /** Milliseconds. */
  readonly lasted: number
}

/**
 * Whether a connection was of use, so that failures count anew: something was received and it was there
 * for the wait before it, or it was there for the longest wait. Whom a peer accepts only to close again
 * is a failure like one that it refuses, and so is one that it greets before ("too many connections").
 *
 * @param failures in a row before it
 */
export function hasHeld(backoff: Backoff, failures: number, { received, lasted }: Past): boolean {
  // In full: chance must not make a failure of what was a success yesterday.
  const wait = waitBefore(backoff, failures, 0)
  return lasted >= (received > 0 ? wait : backoff.max)
}

/**
 * Milliseconds before the try that follows so many failures in a row; none before it counts as one.
 * `chance` is a number from 0 to 1, with 0 for the full wait.
 */
export function waitBefore(backoff: Backoff, failures: number, chance: number): number {
  const { min, max, factor, jitter } = backoff
  const full = Math.min(max, min * factor ** Math.max(0, failures - 1))
  return Math.round(full * (1 - jitter * chance))
}

/**
 * Checks and completes what `reconnect` says.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkBackoff(reconnect: unknown): Backoff {
  if (reconnect !== true && (typeof reconnect !== 'object' || reconnect === null))
    throw invalidOption('reconnect', 'true or an object', reconnect)
  const options: ReconnectOptions = reconnect === true ? {} : reconnect
  for (const name of Object.keys(options)) {
    if (!BACKOFF_NAMES.has(name))
      throw new MillraceError('ERR_INVALID_OPTION', `there is no option reconnect.${name}`)
  }
  const min = whole('reconnect.min', options.min, Math.min(100, options.max ?? 100), 1)
  const { attempts = Number.POSITIVE_INFINITY } = options
  return {
    min,
    max: whole('reconnect.max', options.max, Math.max(30_000, min), min),
    factor: between('reconnect.factor', options.factor, 2, 1, 1000),
    jitter: between('reconnect.jitter', options.jitter, 0.5, 0, 1),
    attempts:
      attempts === Number.POSITIVE_INFINITY
        ? attempts
        : whole('reconnect.attempts', attempts, 1, 1),
  }
}

function between(
  name: string,
  value: unknown,
  fallback: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw invalidOption(name, `a number from ${least} to ${most}`, value)
  return value
}
