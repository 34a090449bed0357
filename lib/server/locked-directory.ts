/** What happens while another process binds in the directory of a Unix socket: we wait, and others go on. */

import { setTimeout } from '../util/timers.js'

/**
 * How often binding is tried, and the milliseconds in between. A millrace process holds the lock for far less than
 * that. A longer holder is another program, or a stopped process, and must not keep this one from starting.
 */
const ATTEMPTS = 250
const PAUSE = 1

/** Another process holds the lock of a directory in which a path was to be bound. */
export class LockedDirectory extends Error {}

/**
 * Binds, again and again while a directory is locked. The first attempt is made at once.
 *
 * @param bind binds everything, or nothing if it throws. On the last attempt it has to ignore locks
 * @param check throws if binding is not wanted any more. Called before each further attempt
 * @returns what `bind` returned
 * @throws what `bind` or `check` throws
 */
export async function whenUnlocked<T>(
  bind: (ignoresLock: boolean) => T,
  check: () => void,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return bind(attempt === ATTEMPTS)
    } catch (error) {
      if (!(error instanceof LockedDirectory)) throw error
    }
    await new Promise<void>((resolve) => void setTimeout(resolve, PAUSE))
    check()
  }
}
