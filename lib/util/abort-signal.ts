/** Listens to abort signals. */

import { invalidOption } from '../errors.js'

/**
 * The callbacks of each signal. Node sees one listener for all of them, and so does not warn of a leak.
 */
const callbacks = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back once the signal aborts.
 *
 * @returns a function that removes the callback
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const all = callbacks.get(signal) ?? listen(signal)
  all.add(callback)
  return () => void all.delete(callback)
}

/** Settles as the promise does, or rejects with the signal's reason as soon as the signal aborts. */
export function unlessAborted<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const ignore = onAbort(signal, () => reject(signal.reason))
    if (signal.aborted) reject(signal.reason)
    promise.then(resolve, reject).finally(ignore)
  })
}

function listen(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>()
  callbacks.set(signal, all)
  signal.addEventListener(
    'abort',
    () => {
      for (const callback of [...all]) callback()
      all.clear()
    },
    { once: true },
  )
  return all
}

/**
 * Checks the option `signal`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidOption('signal', 'an AbortSignal', signal)
  }
}
