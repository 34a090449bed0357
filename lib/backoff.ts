/** How long to wait between tries. */

import type { Backoff } from './connect-options.js'

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
