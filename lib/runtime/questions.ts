/** Questions that are put to loops outside the rings, and answered by `ANSWER` records. */

import { MillraceError } from '../errors.js'
import { type Deferred, deferred, unawaited } from '../util/deferred.js'
import type { Loop } from './loop.js'

/** What a loop, or its acceptor, answers. */
export interface Answer {
  /** The system's error number, 0 if there was no error. */
  readonly errno: number
  readonly value: number
}

interface Question {
  /** The loops that may answer. The first one that lives does. */
  loops: readonly Loop[]
  readonly answer: Deferred<Answer>
  /** Takes an answer that comes after the rejection. */
  readonly late: ((answer: Answer) => void) | undefined
  isRejected: boolean
}

/** The questions of an environment that were not answered yet. */
export class Questions {
  readonly #open = new Map<number, Question>()
  readonly #hold: (change: 1 | -1) => void
  #next = 0

  /** @param hold keeps the process alive for one question more, or one less */
  constructor(hold: (change: 1 | -1) => void) {
    this.#hold = hold
  }

  /**
   * Asks a question.
   *
   * @param loops the loops that may answer; the first one that lives does
   * @param put asks the native half, with a ticket that the answer will carry
   * @param late takes an answer that comes after the rejection, since its value may have to be closed
   * @returns the answer; rejects with `ERR_LOOP_PANIC` if the loop that would answer panics, and with
   *   `ERR_CLOSED` if it stops
   */
  ask(
    loops: readonly Loop[],
    put: (ticket: number) => void,
    late?: (answer: Answer) => void,
  ): Promise<Answer> {
    const alive = loops.filter((loop) => !loop.isLost && !loop.isStopped)
    if (alive.length === 0) {
      const isLost = loops.some((loop) => loop.isLost)
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

  /** Rejects what only a loop that has panicked could answer. */
  lost(loop: Loop): void {
    this.#without(loop, lost)
  }

  /** Rejects what only a loop that has stopped could answer. */
  stopped(loop: Loop): void {
    this.#without(loop, stopped)
  }

  #without(loop: Loop, error: () => MillraceError): void {
    for (const [ticket, question] of this.#open) {
      const { loops, answer } = question
      if (!loops.includes(loop)) continue
      question.loops = loops.filter((each) => each !== loop)
      // The answer may be lost with the first loop, or another loop may still bring it.
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
  return new MillraceError('ERR_LOOP_PANIC', 'the event loop that was asked has panicked')
}

function stopped(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the event loop that was asked has stopped')
}
