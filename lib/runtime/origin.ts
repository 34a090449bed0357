/** Where connections come from, as loops name it by number: a listener, or a `connect`. */

import type { Loop } from './loop.js'

/** What a loop tells of it. */
export interface Origin {
  /** A connection is there: an `OPEN` record, whose payload begins at `at`. */
  opens(loop: Loop, slot: number, generation: number, view: DataView, at: number): void
  /** Something of no connection: a kind of `news` of the record table. */
  told(kind: number, loop: Loop, errno: number): void
  /** That loop is lost. */
  lost(loop: Loop): void
}
