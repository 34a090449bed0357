/** Decides when a pump stops, so that Node's timers and other sockets do not wait for long. */

import { now } from '../util/timers.js'

/** Records that one pump takes at most. */
const RECORDS = 4096
/** Milliseconds that one pump takes at most. */
const MILLISECONDS = 2
/** Records between two looks at the clock. */
const CLOCK = 64

/** Counts the records of one pump, and from the second record on the time. */
export class Budget {
  #left = 0
  #deadline = 0

  /** Begins a pump. */
  begin(): void {
    this.#left = RECORDS
    this.#deadline = 0
  }

  /**
   * Whether the time is over for what goes on without a record, such as queued output. If no record was taken, the time
   * begins when this is first asked.
   */
  get isOver(): boolean {
    if (this.#deadline === 0) this.#deadline = now() + MILLISECONDS
    return now() >= this.#deadline
  }

  /**
   * Tells whether one more record may be taken. The first one always may: most pumps of a server that
   * is not busy take no other, and never read the clock.
   */
  take(): boolean {
    const left = this.#left
    if (left === 0) return false
    this.#left = left - 1
    if (left === RECORDS - 1) {
      this.#deadline = now() + MILLISECONDS
    } else if (left % CLOCK === 0 && left !== RECORDS && now() >= this.#deadline) {
      this.#left = 0
      return false
    }
    return true
  }
}
