/** What this JavaScript environment has of millrace: its loops, where connections come from, and its one pump. */

import { keepAlive, openEnvironment, shutDown, turn } from '../native/binding.js'
import {
  BURIED,
  CONTROL_BYTES,
  DEADLINE,
  NEWS,
  PENDING,
  REST,
  wordsOf,
} from '../native/control-words.js'
import { Budget } from './budget.js'
import type { Loop } from './loop.js'
import type { Origin } from './origin.js'
import { Questions } from './questions.js'

/** How long a process that exits waits for its loops. */
const EXIT_PATIENCE = 100

/** One in each JavaScript environment: the main thread has one, and each worker has its own. */
export class Environment {
  readonly handle: number
  readonly control: Int32Array
  readonly #committer: () => void
  readonly sources: Map<number, Origin> = new Map()
  readonly questions: Questions = new Questions((change) => this.hold(change))
  /** Those that are there, by index. */
  readonly loops: (Loop | undefined)[] = []
  #nextSource = 1
  #nextConn = 1
  /** The loop that is served first this time. */
  #first = 0
  #isPumping = false
  #isCommitDue = false
  #isPumpDue = false
  /** An immediate is set, and no second one is needed: Node runs all that are set without a look at
      its timers. */
  #isPumpSet = false
  #isTurnSet = false
  #inlineTimer: NodeJS.Timeout | undefined
  /** Servers, connections and questions for which the process stays alive. */
  #holds = 0
  readonly #budget: Budget = new Budget()
  /** To be looked at once the pump is through: connections that were resumed. */
  readonly #resumed: Set<{ goOn(): void }> = new Set()

  constructor() {
    const control = new ArrayBuffer(CONTROL_BYTES)
    this.control = new Int32Array(control)
    const { number, commit } = openEnvironment(() => this.pump(), control)
    this.handle = number
    this.#committer = commit
    process.once('exit', () => {
      this.#present()
      this.#commit(0)
      shutDown(this.handle, EXIT_PATIENCE)
    })
  }

  /** A number that no source has. They go round: 32 bits cross, and every dial takes one. */
  sourceNumber(): number {
    for (;;) {
      const number = this.#nextSource
      this.#nextSource = (number + 1) >>> 0
      if (!this.sources.has(number)) return number
    }
  }

  connId(): number {
    return this.#nextConn++
  }

  /** The process stays alive for one more, or one less. */
  hold(change: 1 | -1): void {
    const before = this.#holds
    this.#holds += change
    if (before === 0 || this.#holds === 0) keepAlive(this.handle, this.#holds > 0)
  }

  /** A paused connection was resumed: what is parked is delivered once the stack is free. */
  resume(conn: { goOn(): void }): void {
    this.#resumed.add(conn)
    this.#pumpSoon()
  }

  /** Takes what the rings hold. Called by the doorbell, with the control words up to date. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    this.#isPumpDue = false
    try {
      this.#pump()
    } finally {
      this.#isPumping = false
    }
  }

  #pump(): void {
    const budget = this.#budget
    budget.begin()
    for (;;) {
      this.#refresh()
      const isLeft = this.#drain(budget)
      this.#goOn()
      this.#present()
      if (isLeft) {
        // We stay awake: nobody needs to ring.
        this.#commit(0)
        this.#pumpSoon()
        break
      }
      if (!this.#commit(1)) break
    }
    this.#isCommitDue = false
    this.#scheduleInline()
  }

  /** Serves the loops, another one first each time; true if records are left. */
  #drain(budget: Budget): boolean {
    const { loops } = this
    const count = loops.length
    let isLeft = false
    for (let step = 0; step < count; step++) {
      const loop = loops[(this.#first + step) % count]
      if (loop === undefined) continue
      isLeft = loop.drain(budget) || isLeft
      if (loop.isDead && !isLeft) this.#bury(loop)
    }
    this.#first = (this.#first + 1) % Math.max(count, 1)
    return isLeft
  }

  #bury(loop: Loop): void {
    const words = wordsOf(loop.index)
    if (this.control[words + BURIED] === 1) return
    this.control[words + BURIED] = 1
    loop.bury()
    this.questions.lost(loop)
    for (const source of [...this.sources.values()]) source.lost(loop)
  }

  #goOn(): void {
    if (this.#resumed.size === 0) return
    const resumed = [...this.#resumed]
    this.#resumed.clear()
    for (const conn of resumed) conn.goOn()
  }

  #refresh(): boolean {
    let isUnsettled = false
    for (const loop of this.loops) isUnsettled = (loop?.refresh() ?? false) || isUnsettled
    return isUnsettled
  }

  #present(): void {
    for (const loop of this.loops) loop?.present()
  }

  /** Shows the loops where we stand, and wants to sleep or not; whether there is something to do. */
  #commit(rest: 0 | 1): boolean {
    this.control[REST] = rest
    this.#committer()
    return this.control[NEWS] === 1
  }

  /** Shows the loops what was written, now. */
  commitNow(): void {
    this.#present()
    const news = this.#commit(0)
    // Room may have let out what waited, which then has to be shown too; and what waits on is waited
    // for by the pump.
    const isUnsettled = this.#refresh()
    if (!this.#isPumping) {
      if (isUnsettled || news) this.#pumpSoon()
      this.#scheduleInline()
    }
  }

  /** Shows the loops what was written, once whatever runs now is through. */
  commitSoon(): void {
    // A pump commits at its end.
    if (this.#isPumping || this.#isCommitDue) return
    this.#isCommitDue = true
    process.nextTick(() => {
      if (!this.#isCommitDue) return
      this.#isCommitDue = false
      this.commitNow()
    })
  }

  #pumpSoon(): void {
    this.#isPumpDue = true
    if (this.#isPumpSet) return
    this.#isPumpSet = true
    setImmediate(() => {
      this.#isPumpSet = false
      if (this.#isPumpDue) this.pump()
    })
  }

  /** An inline loop has no thread to wait on: its further turns are ours to schedule. */
  #scheduleInline(): void {
    if (this.control[PENDING] === 1) {
      this.control[PENDING] = 0
      this.#turnSoon()
    }
    const wait = this.control[DEADLINE] as number
    if (this.#inlineTimer !== undefined) clearTimeout(this.#inlineTimer)
    this.#inlineTimer = wait > 0 ? setTimeout(() => this.#turn(), wait).unref() : undefined
  }

  #turnSoon(): void {
    if (this.#isTurnSet) return
    this.#isTurnSet = true
    setImmediate(() => {
      this.#isTurnSet = false
      this.#turn()
    })
  }

  #turn(): void {
    if (turn(this.handle)) this.pump()
    else this.#scheduleInline()
  }
}

let environment: Environment | undefined

/** This environment, made at its first use. */
export function theEnvironment(): Environment {
  environment ??= new Environment()
  return environment
}
