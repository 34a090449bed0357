/** What `context` and a `codec` function get to know of a connection. */

import {
  type Endpoint,
  endpointAddress,
  endpointFamily,
  endpointPort,
  formatEndpoint,
} from '../address/endpoint.js'
import type { Peer } from './conn-handlers.js'

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
