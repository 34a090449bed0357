/** Errors without stack frames. */

/**
 * Makes an error that comes from a loop: the frames would be those of millrace alone, and collecting them takes most of
 * the time that it takes to make an error. An attacker can cause many thousand a second.
 *
 * @returns what `make` returns
 */
export function withoutFrames<T>(make: () => T): T {
  const limit = Error.stackTraceLimit
  if (!setLimit(0)) return make()
  try {
    return make()
  } finally {
    setLimit(limit)
  }
}

/** Returns whether that was possible: intrinsics may be frozen. */
function setLimit(limit: number): boolean {
  try {
    Error.stackTraceLimit = limit
    return true
  } catch {
    return false
  }
}
