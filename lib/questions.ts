/** Questions put to loops beside the rings, which an `ANSWER` record answers. */

import { MillraceError } from './errors.js'
import { type Deferred, deferred } from './extras.js'
import type { Loop } from './loop.js'

/** What a loop, or its acceptor, answers. */
export interface Answer {
  /** The system's error number, 0 if there was no error. */
  readonly errno: number
  readonly value: number
}

interface Question {
  /** Any of these may have to answer it. */
  readonly loops: readonly Loop[]
  readonly answer: Deferred<Answer>
}

/** The questions of an environment that wait for their answers. */
export class Questions {
  readonly #open = new Map<number, Question>()
  readonly #hold: (change: 1 | -1) => void
  #next = 0

  /** @param hold keeps the process alive for one more question, or one less */
  constructor(hold: (change: 1 | -1) => void) {
    this.#hold = hold
  }

  /**
   * Puts a question with a ticket, which its answer has to carry.
   *
   * @returns the answer; rejects with `ERR_LOOP_PANIC` if one of the loops is lost before, and with
   *   `ERR_CLOSED` if they stop
   */
  ask(loops: readonly Loop[], put: (ticket: number) => void): Promise<Answer> {
    const ticket = this.#next
    this.#next = (ticket + 1) >>> 0
    put(ticket)
    const answer = deferred<Answer>()
    this.#open.set(ticket, { loops, answer })
    this.#hold(1)
    return answer.promise
  }

  answered(ticket: number, answer: Answer): void {
    const question = this.#open.get(ticket)
    if (question === undefined) return
    this.#open.delete(ticket)
    this.#hold(-1)
    question.answer.resolve(answer)
  }

  /** That loop panicked. */
  lost(loop: Loop): void {
    this.#reject(loop, 'ERR_LOOP_PANIC', 'the event loop that was asked was lost')
  }

  /** That loop has stopped. */
  stopped(loop: Loop): void {
    this.#reject(loop, 'ERR_CLOSED', 'the event loop that was asked has stopped')
  }

  #reject(loop: Loop, code: 'ERR_LOOP_PANIC' | 'ERR_CLOSED', message: string): void {
    for (const [ticket, { loops, answer }] of this.#open) {
      if (!loops.includes(loop)) continue
      this.#open.delete(ticket)
      this.#hold(-1)
      answer.reject(new MillraceError(code, message))
    }
  }
}
