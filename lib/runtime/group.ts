/** Loops that belong together, and who uses them. */

import { nativeError } from '../connection/close-error.js'
import { invalidOption, MillraceError } from '../errors.js'
import { type GroupInfo, startGroup, stopGroup } from '../native/binding.js'
import { MAX_LOOPS } from '../native/control-words.js'
import { checkRingBytes, defaultLoops } from '../server/options.js'
import { theEnvironment } from './environment.js'
import { Loop } from './loop.js'

/** A group of loops. It stops when its last user has left. */
export class Group {
  readonly number: number
  readonly loops: readonly Loop[]
  #users = 0
  #leaving = 0

  constructor(count: number, isInline: boolean, ringBytes: number) {
    const environment = theEnvironment()
    const rings = allocate(2 * count, ringBytes)
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

  /** Bytes of each ring of its loops. */
  get ringBytes(): number {
    return this.loops[0]?.ringBytes ?? 0
  }

  join(): this {
    this.#users++
    return this
  }

  /** Leaves once the stack is free: whoever is called by a loop's pump must not stop that loop. */
  leaveSoon(): void {
    this.#leaving++
    if (this.#leaving > 1) return
    setImmediate(() => {
      const count = this.#leaving
      this.#leaving = 0
      for (let user = 0; user < count; user++) this.leave()
    })
  }

  leave(): void {
    this.#users--
    if (this.#users > 0) return
    if (shared === this) shared = undefined
    const environment = theEnvironment()
    stopGroup(environment.handle, this.number)
    for (const loop of this.loops) {
      environment.loops[loop.index] = undefined
      loop.isStopped = true
      environment.questions.stopped(loop)
    }
  }
}

/** The memory of so many rings. */
function allocate(count: number, ringBytes: number): ArrayBuffer[] {
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

/** The group of everybody who names no other. */
let shared: Group | undefined

/** What `loops` means. A group that is returned is joined. */
export function groupFor(
  loops: unknown,
  ringBytes: unknown,
  groupOf: (owner: unknown) => Group | undefined,
): Group {
  const isOwn = typeof loops === 'number' || loops === 'inline'
  if (ringBytes !== undefined && !isOwn) {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'ringBytes needs loops of its own: loops has to be a number or inline',
    )
  }
  if (loops === undefined) {
    // One whose loops are all lost is on its way out.
    if (shared?.loops.every((loop) => loop.isDead)) shared = undefined
    shared ??= new Group(defaultLoops(), false, checkRingBytes(undefined))
    return shared.join()
  }
  if (loops === 'inline') {
    checkInline()
    return new Group(1, true, checkRingBytes(ringBytes)).join()
  }
  if (typeof loops === 'number') {
    if (!Number.isSafeInteger(loops) || loops < 1 || loops > MAX_LOOPS) {
      throw invalidOption('loops', `a whole number from 1 to ${MAX_LOOPS}`, loops)
    }
    return new Group(loops, false, checkRingBytes(ringBytes)).join()
  }
  const borrowed = groupOf(loops)
  if (borrowed === undefined)
    throw invalidOption('loops', "a number, 'inline' or an open server", loops)
  return borrowed.join()
}

/** An inline loop needs `uv_poll` and a descriptor to watch. */
function checkInline(): void {
  const runtime = ['bun', 'deno'].find((name) => name in process.versions)
  // Asked before any symbol is looked up: Bun ends the process where a libuv function is called.
  if (runtime !== undefined) {
    throw new MillraceError(
      'ERR_INLINE_UNSUPPORTED',
      `inline loops need libuv, which ${runtime} does not have`,
    )
  }
  if (process.platform === 'win32') {
    throw new MillraceError(
      'ERR_INLINE_UNSUPPORTED',
      'inline loops need epoll or kqueue, which Windows does not have',
    )
  }
}
