/** Decides which loops `serve`, `connect` and `bind` use: what the options `loops` and `ringBytes` mean. */

import { availableParallelism } from 'node:os'
import { invalidOption, MillraceError } from '../errors.js'
import { MAX_LOOPS } from '../native/control-words.js'
import { whole } from '../util/checks.js'
import { Group } from './group.js'
import type { Loop } from './loop.js'

/** The group that is used without the option `loops`, as long as somebody uses it. */
let shared: Group | undefined

/** The servers whose loops others may use, with functions that return their group while they are open. */
const lenders = new WeakMap<object, () => Group | undefined>()

/**
 * Lets others use the group of `owner`.
 *
 * @param group returns the group; undefined once `owner` is closed
 */
export function lendGroup(owner: object, group: () => Group | undefined): void {
  lenders.set(owner, group)
}

/**
 * Returns the group that the options ask for, joined.
 *
 * @param loop a loop that was named instead of `loops`
 * @throws `ERR_INVALID_OPTION`, `ERR_INLINE_UNSUPPORTED`, `ENOMEM`
 */
export function joinGroup(loops: unknown, ringBytes: unknown, loop?: Loop): Group {
  const isOwn = loop === undefined && (typeof loops === 'number' || loops === 'inline')
  if (ringBytes !== undefined && !isOwn) {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      "ringBytes needs loops of its own: loops has to be a number or 'inline'",
    )
  }
  if (loop !== undefined) return loop.group.join()
  if (loops === undefined) return sharedGroup().join()
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
  const lent = typeof loops === 'object' && loops !== null ? lenders.get(loops)?.() : undefined
  if (lent === undefined)
    throw invalidOption('loops', "a number, 'inline' or an open server", loops)
  return lent.join()
}

function sharedGroup(): Group {
  if (shared === undefined || shared.isLost) {
    const count = Math.max(1, Math.min(4, availableParallelism() - 1))
    const group: Group = new Group(count, false, checkRingBytes(undefined), () => {
      // Its rings are megabytes, which must not stay behind.
      if (shared === group) shared = undefined
    })
    shared = group
  }
  return shared
}

function checkRingBytes(value: unknown): number {
  const bytes = whole('ringBytes', value, 1 << 20, 4096, 1 << 30)
  if ((bytes & (bytes - 1)) !== 0) throw invalidOption('ringBytes', 'a power of two', value)
  return bytes
}

/** An inline loop needs `uv_poll`, and a descriptor to watch. */
function checkInline(): void {
  const runtime = ['bun', 'deno'].find((name) => name in process.versions)
  // The name is checked before any symbol is looked up: Bun ends the process when libuv is called.
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
