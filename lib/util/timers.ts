/**
 * Node's timers and ticks, as they are when this module loads: tests replace the global ones, and connections have to
 * go on meanwhile.
 */

import { performance } from 'node:perf_hooks'

export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask
export const nextTick: typeof process.nextTick = process.nextTick

const { now: nowOf } = performance

/** The milliseconds of `performance.now()`. */
export function now(): number {
  return nowOf.call(performance)
}

/** Resolves in the next turn of Node's event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
