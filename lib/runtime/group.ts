/** Groups of loops, and who uses them. */

import { MillraceError } from '../errors.js'
import { type GroupInfo, startGroup, stopGroup } from '../native/binding.js'
import { nativeError } from '../native/system-error.js'
import { setImmediate } from '../util/timers.js'
import { theEnvironment } from './environment.js'
import { Loop } from './loop.js'

/** A group of loops, which stops when its last user has left. */
export class Group {
  /** Names the group in calls of the native half. */
  readonly number: number
  readonly loops: readonly Loop[]
  #users = 0
  #leaving = 0

  readonly #onStopped: (() => void) | undefined

  /** @param onStopped called when the last user has left */
  constructor(count: number, isInline: boolean, ringBytes: number, onStopped?: () => void) {
    this.#onStopped = onStopped
    const environment = theEnvironment()
    const rings = allocateRings(2 * count, ringBytes)
    const info = startLoops(environment.handle, rings, isInline)
    this.number = info.number
    this.loops = info.loops.map((index, at) => {
      const loop = new Loop(
        environment,
        this,
        index,
        rings[2 * at] as ArrayBuffer,
        rings[2 * at + 1] as ArrayBuffer,
      )
      environment.loops[index] = loop
      return loop
    })
  }

  /** The size of each ring of its loops in bytes. */
  get ringBytes(): number {
    return this.loops[0]?.ringBytes ?? 0
  }

  /** Whether all of its loops have panicked. */
  get isLost(): boolean {
    return this.loops.every((loop) => loop.isLost)
  }

  /** Adds a user. */
  join(): this {
    this.#users++
    return this
  }

  /** Removes a user once the stack is free: a loop must not be stopped while its records are processed. */
  leaveSoon(): void {
    this.#leaving++
    if (this.#leaving > 1) return
    setImmediate(() => {
      const count = this.#leaving
      this.#leaving = 0
      for (let user = 0; user < count; user++) this.leave()
    })
  }

  /** Removes a user. The last one stops the loops. */
  leave(): void {
    this.#users--
    if (this.#users > 0) return
    const environment = theEnvironment()
    stopGroup(environment.handle, this.number)
    for (const loop of this.loops) {
      environment.loops[loop.index] = undefined
      loop.isStopped = true
      environment.questions.stopped(loop)
      loop.outbound.drop()
    }
    this.#onStopped?.()
  }
}

function allocateRings(count: number, ringBytes: number): ArrayBuffer[] {
  try {
    return Array.from({ length: count }, () => new ArrayBuffer(ringBytes))
  } catch (cause) {
    const why = `there is no memory for ${count} rings of ${ringBytes} bytes`
    throw new MillraceError('ENOMEM', why, { cause })
  }
}

function startLoops(handle: number, rings: ArrayBuffer[], isInline: boolean): GroupInfo {
  try {
    return startGroup(handle, rings, isInline)
  } catch (error) {
    throw nativeError(error)
  }
}
