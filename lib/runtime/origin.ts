/** What a loop opens connections and sockets for. */

import type { Scope } from '../util/scope.js'
import type { Loop } from './loop.js'

/**
 * A listener, a connection attempt or a datagram socket. Records that concern no connection name it by
 * its number in the environment.
 */
export interface Origin {
  /** Where all of this is called. */
  readonly scope: Scope
  /** A connection or socket is open: an `OPEN` record, whose payload begins at `at`. */
  onOpen(loop: Loop, slot: number, generation: number, view: DataView, at: number): void
  /** A record with a payload of the kind `news`: see the record table. */
  onNews(kind: number, loop: Loop, errno: number): void
  /** A loop has panicked. */
  onLoopLost(loop: Loop): void
}
