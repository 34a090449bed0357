/** The implementation of `Peer`. */

import { showAs } from '../util/inspect.js'
import type { Conn } from './conn.js'
import type { Peer } from './conn-handlers.js'

/**
 * What `context` and a `codec` function get to know of a connection.
 *
 * It is not the connection, which has no context and no codec yet and must not be written to.
 */
export class PeerImpl implements Peer {
  readonly #conn: Conn

  constructor(conn: Conn) {
    this.#conn = conn
  }

  get remote(): string {
    return this.#conn.remote
  }
  get local(): string {
    return this.#conn.local
  }
  get remoteAddress(): string | undefined {
    return this.#conn.remoteAddress
  }
  get remotePort(): number | undefined {
    return this.#conn.remotePort
  }
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#conn.remoteFamily
  }
}

showAs(PeerImpl, 'Peer', ({ remote, local }) => ({ remote, local }))
