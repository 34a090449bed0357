/** Visits connections. */

import type { ConnImpl } from '../connection/conn-impl.js'
import type { Loop } from '../runtime/loop.js'

/** Visits the connections that some loops have, whoever they belong to. */
export function* connsOf(loops: readonly Loop[]): Generator<ConnImpl> {
  for (const loop of loops) {
    for (const conn of loop.conns) {
      // A loop knows a connection only by the methods that it calls, but each one is a `ConnImpl`.
      if (conn !== undefined) yield conn as ConnImpl
    }
  }
}
