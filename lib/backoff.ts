/** How long to wait between tries. */

import type { Backoff } from './connect-options.js'

/**
 * Milliseconds before the try that follows so many failures in a row; none before it counts as one.
 * `chance` is a number from 0 to 1.
 */
export function waitBefore(backoff: Backoff, failures: number, chance: number): number {
  const { min, max, factor, jitter } = backoff
  const full = Math.min(max, min * factor ** Math.max(0, failures - 1))
  return Math.round(full * (1 - jitter * chance))
}
