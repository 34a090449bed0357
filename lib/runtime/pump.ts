/** Takes records from the loops' inbound rings, and shows the loops what was written for them. */

import { toError } from '../errors.js'
import { BURIED, control, NEWS, REST, wordsOf } from '../native/control-words.js'
import { legible } from '../util/error-reporter.js'
import { Scope } from '../util/scope.js'
import { nextTick, setImmediate } from '../util/timers.js'
import { Budget } from './budget.js'
import type { Environment } from './environment.js'
import { InlineTurns } from './inline-turns.js'
import type { Loop } from './loop.js'

/** A connection or socket whose parked input has to be delivered. */
export interface Resumable {
  /** Where that is to be done. */
  readonly scope: Scope
  /** Delivers what is parked, then lets the loop read on. */
  deliverParked(): void
  /** That has thrown, because memory is short, say. */
  failed(thrown: unknown): void
}

/** The pump of one environment. */
export class Pump {
  readonly #environment: Environment
  readonly #commitNative: () => void
  readonly #budget: Budget = new Budget()
  readonly #inlineTurns: InlineTurns
  /** Where the last record was processed: the next one is likely to belong there too. */
  #scope = new Scope()
  /** Connections and sockets that were resumed. */
  readonly #resumed: Set<Resumable> = new Set()
  /** Counts pumps, so that each serves another loop first. */
  #first = 0
  #isPumping = false
  #isCommitDue = false
  #isPumpDue = false
  /** One `setImmediate` is already scheduled. Node runs all that are due before its timers. */
  #isPumpScheduled = false

  /** @param commit shows the loops our control words, and reads theirs */
  constructor(environment: Environment, commit: () => void) {
    this.#environment = environment
    this.#commitNative = commit
    this.#inlineTurns = new InlineTurns(environment, () => this.run())
  }

  /** Processes what is in the rings. Called by the doorbell, with the control words up to date. */
  run(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    this.#isPumpDue = false
    try {
      this.#run()
    } finally {
      this.#isPumping = false
      this.#environment.delivery.current = undefined
    }
  }

  #run(): void {
    const budget = this.#budget
    budget.begin()
    for (;;) {
      this.#refresh()
      const isLeft = this.#takeRecords(budget)
      this.#deliverResumed()
      this.#present()
      if (!isLeft && !this.#commit(1)) break
      if (isLeft || budget.isOver) {
        // We stay awake, so no doorbell has to ring for what is left.
        this.#commit(0)
        this.#pumpSoon()
        break
      }
    }
    this.#isCommitDue = false
    this.#inlineTurns.schedule()
  }

  /** Serves the loops, each time another one first. Returns whether records are left. */
  #takeRecords(budget: Budget): boolean {
    const { loops } = this.#environment
    const count = loops.length
    let isLeft = false
    for (let step = 0; step < count; step++) {
      const loop = loops[(this.#first + step) % count]
      if (loop === undefined) continue
      isLeft = this.#takeRecordsOf(loop, budget) || isLeft
      if (loop.isLost && !isLeft) this.#bury(loop)
    }
    this.#first = (this.#first + 1) % Math.max(count, 1)
    return isLeft
  }

  /** Lets a loop process its records, each in its own scope. */
  #takeRecordsOf(loop: Loop, budget: Budget): boolean {
    while (loop.hasRecords) {
      const isLeft = this.#scope.runInAsyncScope(loop.takeRecords, loop, budget, this.#scope)
      if (loop.nextScope === undefined) return isLeft
      this.#scope = loop.nextScope
    }
    return false
  }

  /** Tells everybody who depends on a loop that it has panicked. */
  #bury(loop: Loop): void {
    const { origins, questions } = this.#environment
    const words = wordsOf(loop.index)
    if (control[words + BURIED] === 1) return
    control[words + BURIED] = 1
    loop.bury()
    questions.lost(loop)
    for (const origin of [...origins.values()])
      origin.scope.runInAsyncScope(origin.onLoopLost, origin, loop)
  }

  /** Delivers the parked input of a connection that was resumed, once the stack is free. */
  resume(conn: Resumable): void {
    this.#resumed.add(conn)
    this.#pumpSoon()
  }

  #deliverResumed(): void {
    if (this.#resumed.size === 0) return
    const resumed = [...this.#resumed]
    this.#resumed.clear()
    for (const conn of resumed) {
      this.#environment.delivery.current = undefined
      conn.scope.runInAsyncScope(deliver, undefined, conn)
    }
  }

  /** Reads the positions of all loops. Returns whether another commit is needed. */
  #refresh(): boolean {
    let needsCommit = false
    for (const loop of this.#environment.loops)
      needsCommit = (loop?.refresh() ?? false) || needsCommit
    return needsCommit
  }

  /** Writes our positions for all loops. */
  #present(): void {
    for (const loop of this.#environment.loops) loop?.present()
  }

  /** Shows the loops our positions, and whether we want to sleep. Returns whether there is work left. */
  #commit(rest: 0 | 1): boolean {
    control[REST] = rest
    this.#commitNative()
    return control[NEWS] === 1
  }

  /** Shows the loops what was written, now. */
  commitNow(): void {
    this.#present()
    const news = this.#commit(0)
    // The commit may have made room for queued records, which then have to be shown too. The pump waits
    // for room for those that are still queued.
    const needsCommit = this.#refresh()
    if (!this.#isPumping) {
      if (needsCommit || news) this.#pumpSoon()
      this.#inlineTurns.schedule()
    }
  }

  /** Shows the loops what was written, once the code that is running is finished. */
  commitSoon(): void {
    // A pump commits at its end.
    if (this.#isPumping || this.#isCommitDue) return
    this.#isCommitDue = true
    nextTick(() => {
      if (!this.#isCommitDue) return
      this.#isCommitDue = false
      this.commitNow()
    })
  }

  /** Shows the loops what was written before the process exits. */
  commitLast(): void {
    this.#present()
    this.#commit(0)
  }

  #pumpSoon(): void {
    this.#isPumpDue = true
    if (this.#isPumpScheduled) return
    this.#isPumpScheduled = true
    setImmediate(() => {
      this.#isPumpScheduled = false
      if (this.#isPumpDue) this.run()
    })
  }
}

/** Delivers the parked input of one; the others go on whatever happens. */
function deliver(conn: Resumable): void {
  try {
    conn.deliverParked()
  } catch (thrown) {
    try {
      conn.failed(thrown)
    } catch (again) {
      process.emitWarning(legible(toError(again)))
    }
  }
}
