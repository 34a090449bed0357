/** What one JavaScript environment has of millrace: its loops, its origins, its questions and its pump. */

import { keepAlive, openEnvironment, shutDown } from '../native/binding.js'
import { control } from '../native/control-words.js'
import { Delivery } from './delivery.js'
import type { Loop } from './loop.js'
import type { Origin } from './origin.js'
import { Pump } from './pump.js'
import { Questions } from './questions.js'
import type { SlotHandle } from './record-handlers.js'

/** Milliseconds that a process which exits waits for its loops. */
const EXIT_TIMEOUT = 100

/** The main thread has one environment, and each worker has its own. */
export class Environment {
  /** Names the environment in calls of the native half. */
  readonly handle: number
  readonly pump: Pump
  readonly delivery: Delivery = new Delivery()
  /** Listeners, connection attempts and datagram sockets, by the number that records name them by. */
  readonly origins: Map<number, Origin> = new Map()
  readonly questions: Questions = new Questions((change) => this.hold(change))
  /** By index; the places of loops that have stopped are undefined. */
  readonly loops: (Loop | undefined)[] = []
  #nextOrigin = 1
  #nextConn = 1
  /** The number of servers, connections and questions that keep the process alive. */
  #holds = 0

  constructor() {
    const memory = control.buffer as ArrayBuffer
    const { number, commit } = openEnvironment(() => this.pump.run(), memory)
    this.handle = number
    this.pump = new Pump(this, commit)
    process.once('exit', () => {
      this.pump.commitLast()
      shutDown(this.handle, EXIT_TIMEOUT)
    })
  }

  /** Returns a number that no origin has. Numbers wrap, since records have 32 bits for them. */
  originNumber(): number {
    for (;;) {
      const number = this.#nextOrigin
      this.#nextOrigin = (number + 1) >>> 0
      if (!this.origins.has(number)) return number
    }
  }

  /** Returns the `id` of a new connection. */
  connId(): number {
    return this.#nextConn++
  }

  /** Keeps the process alive for one thing more, or one thing less. */
  hold(change: 1 | -1): void {
    const before = this.#holds
    this.#holds += change
    if (before === 0 || this.#holds === 0) keepAlive(this.handle, this.#holds > 0)
  }

  /**
   * Whether somebody's output, or output that it has caused, waits for room in any loop's ring: what one loop lets go,
   * another one may still hold back.
   */
  holdsBack(handle: SlotHandle): boolean {
    return this.loops.some((loop) => loop?.outbound.holdsBack(handle))
  }
}

let environment: Environment | undefined

/** Returns the environment of this thread, which the first call makes. */
export function theEnvironment(): Environment {
  environment ??= new Environment()
  return environment
}
