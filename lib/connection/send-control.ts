/** Sends records that carry no data. */

import type { ConnImpl } from './conn-impl.js'

/** Sends a record of that kind for the connection. Nobody may change its payload any more. */
export function sendControl(conn: ConnImpl, kind: number, payload?: Buffer): void {
  conn.eventLoop.outbound.control(kind, conn, payload)
  conn.eventLoop.wrote()
}
