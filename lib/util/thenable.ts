/** Recognises promises. */

/** Returns whether a value is a promise, or anything else with a `then` method. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    // Messages are often bytes, and looking up a property that they lack costs more than this check.
    !ArrayBuffer.isView(value) &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
