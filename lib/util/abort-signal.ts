/** Many who listen for the abort of one signal: one listener of Node's, however many they are. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls back when the signal aborts; returns what takes that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const all = waiting.get(signal) ?? listen(signal)
  all.add(callback)
  return () => void all.delete(callback)
}

/** What the promise comes to, or the signal's reason as soon as it aborts. */
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
  waiting.set(signal, all)
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
