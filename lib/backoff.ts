/** How long to wait between tries. */

import type { Backoff } from './connect-options.js'

/**
 * Whether a connection was of use, so that failures count anew: something was received, or it was there
 * for the longest wait. Whom a peer accepts only to close again is a failure like one that it refuses.
 */
export function hasHeld({ max }: Backoff, received: number, milliseconds: number): boolean {
  return received > 0 || milliseconds >= max
}

/**
 * Milliseconds before the try that follows so many failures in a row; none before it counts as one.
 * `chance` is a number from 0 to 1.
 */
export function waitBefore(backoff: Backoff, failures: number, chance: number): number {
  const { min, max, factor, jitter } = backoff
  const full = Math.min(max, min * factor ** Math.max(0, failures - 1))
  return Math.round(full * (1 - jitter * chance))
}
