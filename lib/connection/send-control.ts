/** Sends records that carry no data. */

import type { ConnImpl } from './conn-impl.js'

/**
 * Sends a record of that kind for the connection. Nobody may change its payload any more.
 *
 * @param other is another connection of the same loop, whose records keep their order with this one
 */
export function sendControl(
  conn: ConnImpl,
  kind: number,
  payload?: Buffer,
  other?: ConnImpl,
): void {
  conn.eventLoop.outbound.control(kind, conn, payload, other)
  conn.eventLoop.wrote()
}
