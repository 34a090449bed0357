/** Schedules the turns of inline loops, which have no thread that could wait. */

import { turn } from '../native/binding.js'
import { DEADLINE, PENDING } from '../native/control-words.js'
import type { Environment } from './environment.js'

/** Gives inline loops a turn when they have work left, or when their next deadline comes. */
export class InlineTurns {
  readonly #environment: Environment
  readonly #pump: () => void
  /** One `setImmediate` is already scheduled. */
  #isTurnScheduled = false
  #timer: NodeJS.Timeout | undefined

  /** @param pump takes what a turn has put into the rings */
  constructor(environment: Environment, pump: () => void) {
    this.#environment = environment
    this.#pump = pump
  }

  /** Schedules the next turn, as the control words ask for it. */
  schedule(): void {
    const { control } = this.#environment
    if (control[PENDING] === 1) {
      control[PENDING] = 0
      this.#turnSoon()
    }
    const wait = control[DEADLINE] as number
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = wait > 0 ? setTimeout(() => this.#turn(), wait).unref() : undefined
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
