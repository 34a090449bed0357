/** Sends records that have no payload. */

import type { ConnImpl } from './conn-impl.js'

/** Sends a record of that kind for the connection. */
export function sendControl(conn: ConnImpl, kind: number): void {
  conn.eventLoop.outbound.control(kind, conn)
  conn.eventLoop.wrote()
}
