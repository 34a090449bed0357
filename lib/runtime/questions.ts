/** Questions put to loops beside the rings, which an `ANSWER` record answers. */

import { type Deferred, deferred, unawaited } from '../connection/cold-state.js'
import { MillraceError } from '../errors.js'
import type { Loop } from './loop.js'

/** What a loop, or its acceptor, answers. */
export interface Answer {
  /** The system's error number, 0 if there was no error. */
  readonly errno: number
  readonly value: number
}

interface Question {
  /** Those who may have to answer it, of which the first that lives does. */
  loops: readonly Loop[]
  readonly answer: Deferred<Answer>
  /** Takes an answer that comes after the question was rejected. */
  readonly late: ((answer: Answer) => void) | undefined
  isRejected: boolean
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
   * @param loops those who may answer; the first that lives does
   * @param late takes an answer that comes after the rejection: what it stands for may have to be closed
   * @returns the answer; rejects with `ERR_LOOP_PANIC` if the loop that would answer is lost, before or
   *   meanwhile, and with `ERR_CLOSED` if it stops
   */
  ask(
    loops: readonly Loop[],
    put: (ticket: number) => void,
    late?: (answer: Answer) => void,
  ): Promise<Answer> {
    const alive = loops.filter((loop) => !loop.isDead && !loop.isStopped)
    if (alive.length === 0) {
      // Nobody would ever answer.
      const isLost = loops.some((loop) => loop.isDead)
      return unawaited(Promise.reject(isLost ? lost() : stopped()))
    }
    const ticket = this.#next
    this.#next = (ticket + 1) >>> 0
    put(ticket)
    const answer = deferred<Answer>()
    this.#open.set(ticket, { loops: alive, answer, late, isRejected: false })
    this.#hold(1)
    return answer.promise
  }

  answered(ticket: number, answer: Answer): void {
    const question = this.#open.get(ticket)
    if (question === undefined) return
    this.#open.delete(ticket)
    if (question.isRejected) {
      question.late?.(answer)
      return
    }
    this.#hold(-1)
    question.answer.resolve(answer)
  }

  /** That loop panicked. */
  lost(loop: Loop): void {
    this.#without(loop, lost)
  }

  /** That loop has stopped. */
  stopped(loop: Loop): void {
    this.#without(loop, stopped)
  }

  #without(loop: Loop, error: () => MillraceError): void {
    for (const [ticket, question] of this.#open) {
      const { loops, answer } = question
      if (!loops.includes(loop)) continue
      question.loops = loops.filter((each) => each !== loop)
      // An answer may have been lost with the first, or another brings it yet.
      if (loops[0] === loop && !question.isRejected) {
        question.isRejected = true
        this.#hold(-1)
        answer.reject(error())
      }
      if (question.loops.length === 0) this.#open.delete(ticket)
    }
  }
}

function lost(): MillraceError {
  return new MillraceError('ERR_LOOP_PANIC', 'the event loop that was asked was lost')
}

function stopped(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the event loop that was asked has stopped')
}
