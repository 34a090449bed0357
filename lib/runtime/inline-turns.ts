/** Schedules the turns of inline loops, which have no thread that could wait. */

import { turn } from '../native/binding.js'
import { control, DEADLINE, PENDING } from '../native/control-words.js'
import { clearTimeout, now, setImmediate, setTimeout } from '../util/timers.js'
import type { Environment } from './environment.js'

/** Gives inline loops a turn when they have work left, or when their next deadline comes. */
export class InlineTurns {
  readonly #environment: Environment
  readonly #pump: () => void
  /** One `setImmediate` is already scheduled. */
  #isTurnScheduled = false
  #timer: NodeJS.Timeout | undefined
  /** When that ends, in the time of `performance.now()`. */
  #timerAt = 0

  /** @param pump takes what a turn has put into the rings */
  constructor(environment: Environment, pump: () => void) {
    this.#environment = environment
    this.#pump = pump
  }

  /** Schedules the next turn, as the control words ask for it. */
  schedule(): void {
    if (control[PENDING] === 1) {
      control[PENDING] = 0
      this.#turnSoon()
    }
    const wait = control[DEADLINE] as number
    if (wait > 0) this.#turnAfter(wait)
  }

  /** Has a turn after that many milliseconds, or earlier: it is cheaper to turn once in vain than to set Node's
   * timer again for each deadline that moves. */
  #turnAfter(wait: number): void {
    const at = now() + wait
    if (this.#timer !== undefined) {
      if (at >= this.#timerAt) return
      clearTimeout(this.#timer)
    }
    this.#timerAt = at
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#turn()
    }, wait).unref()
  }

  #turnSoon(): void {
    if (this.#isTurnScheduled) return
    this.#isTurnScheduled = true
    setImmediate(() => {
      this.#isTurnScheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    if (turn(this.#environment.handle)) this.#pump()
    else this.schedule()
  }
}
