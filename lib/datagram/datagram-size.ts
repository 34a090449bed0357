/** How large a datagram may be. */

import { invalidOption } from '../errors.js'
import { DATAGRAM_BYTES, DATAGRAM_LOCAL_BYTES, HEADER } from '../native/record.js'

/** The largest datagram in bytes: that of IPv6 without jumbograms. */
export const MAX_DATAGRAM = 65_527
/** The largest datagram of IPv4 in bytes. */
export const MAX_IPV4_DATAGRAM = 65_507

/**
 * Returns the size of a socket's largest datagram: a datagram takes at most a quarter of a ring.
 *
 * @param max the option `max`, 0 if it is not set
 * @param ringBytes the size of a ring
 * @param isWildcard whether the socket is bound to all addresses of this machine: then each datagram comes with the one
 *   that it was sent to
 * @throws `ERR_INVALID_OPTION` if a ring has no room for datagrams of `max` bytes
 */
export function maxDatagram(max: number, ringBytes: number, isWildcard: boolean): number {
  const room = ringBytes / 4 - HEADER - (isWildcard ? DATAGRAM_LOCAL_BYTES : DATAGRAM_BYTES)
  if (max > room) {
    throw invalidOption('max', `at most ${room} with rings of ${ringBytes} bytes`, max)
  }
  return max === 0 ? Math.min(MAX_DATAGRAM, room) : max
}
