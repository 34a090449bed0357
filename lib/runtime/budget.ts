/** How much a pump does before Node has its turn: its timers and other sockets wait no longer. */

// Imported: the global is a getter, and slower.
import { performance } from 'node:perf_hooks'

/** Records at the most. */
const RECORDS = 4096
/** Milliseconds at the most. */
const PATIENCE = 2
/** Records between two looks at the clock. */
const CLOCK = 64

/** Counts the records of one pump, and the time from the second on. */
export class Budget {
  #left = 0
  #until = 0

  /** A pump begins. */
  begin(): void {
    this.#left = RECORDS
  }

  /**
   * Whether one more record may be taken. The first always may: most pumps of a server that is not
   * busy have no other, and never ask for the time.
   */
  take(): boolean {
    const left = this.#left
    if (left === 0) return false
    this.#left = left - 1
    if (left === RECORDS - 1) {
      this.#until = performance.now() + PATIENCE
    } else if (left % CLOCK === 0 && left !== RECORDS && performance.now() >= this.#until) {
      this.#left = 0
      return false
    }
    return true
  }
}
