/** The destination of `connect`, before names are looked up. */

import { scopeOf } from './interfaces.js'
import { parseIP } from './ip.js'
import type { HostAddress } from './parse-address.js'
import type { Destination, UnixAddress } from './socket-address.js'

/**
 * Returns what to connect to: an address, or a name that is looked up for each attempt. Without a host the
 * name is `localhost`.
 *
 * @throws `ERR_INVALID_ADDRESS` if the zone of an address is not an interface
 */
export function destination(address: HostAddress | UnixAddress): Destination {
  if (address.kind === 'unix') return address
  const { host, port } = address
  const parsed = parseIP(host)
  if (parsed === undefined) return { kind: 'name', host: host === '' ? 'localhost' : host, port }
  const { ip, zone } = parsed
  return { kind: 'tcp', host: ip, port, scope: scopeOf(host, zone), dualStack: false }
}
