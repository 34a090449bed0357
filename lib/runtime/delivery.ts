/** Whose input is being delivered at this moment. */

import type { SlotHandle } from './record-handlers.js'

/**
 * What is written while input is delivered follows from that input. If it has to wait for room, more input of whoever
 * caused it would only make the queue longer.
 */
export class Delivery {
  /** The connection or socket whose handler runs, if one does. */
  current: SlotHandle | undefined
}
