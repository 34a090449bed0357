/** What `context` and a `codec` function get to know of a connection. */

import {
  type Endpoint,
  endpointAddress,
  endpointFamily,
  endpointPort,
  formatEndpoint,
} from '../address/endpoint.js'

/**
 * The addresses of a connection that is about to open.
 *
 * @example
 * ```ts
 * await serve({
 *   listen: 9000,
 *   context: (peer: Peer) => ({ name: peer.remote, since: Date.now() }),
 *   message: (conn, chunk) => console.log(conn.context.name, chunk),
 * })
 * ```
 */
export interface Peer {
  /** The other side's address: `127.0.0.1:40312`, `[::1]:40312`. */
  readonly remote: string
  /** Our address. */
  readonly local: string
  /** The other side's IP address, as in `node:net`; undefined for a Unix socket. */
  readonly remoteAddress?: string | undefined
  /** The other side's port; undefined for a Unix socket. */
  readonly remotePort?: number | undefined
  /** The family of the other side's address; undefined for a Unix socket. */
  readonly remoteFamily?: 'IPv4' | 'IPv6' | undefined
}

/**
 * Makes the `Peer` of a connection from its two addresses.
 *
 * It is not the connection, which has no context and no codec yet and must not be written to.
 *
 * @param local our address as text
 */
export function peerOf({ ip, port }: Endpoint, local: string): Peer {
  return Object.freeze({
    remote: formatEndpoint(ip, port),
    local,
    remoteAddress: endpointAddress(ip, port),
    remotePort: endpointPort(ip, port),
    remoteFamily: endpointFamily(ip, port),
  })
}
