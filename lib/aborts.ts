/** Many who listen for the abort of one signal: one listener of Node's, however many they are. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls back when the signal aborts; returns what takes that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const all = waiting.get(signal) ?? listen(signal)
  all.add(callback)
  return () => void all.delete(callback)
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
