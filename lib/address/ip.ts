/** Reads IP addresses as users write them. */

import { isIPv4, isIPv6 } from 'node:net'
import { bytesOfIPv6, isMappedIPv4 } from './ipv6.js'

/** An IP address, and the zone of a link-local one. */
export interface IPAddress {
  readonly ip: string
  /** The name or the number of an interface; `''` if there is none. */
  readonly zone: string
}

/**
 * Reads an IP address without brackets: IPv4, or IPv6 with or without a zone. An IPv4-mapped IPv6 address
 * becomes IPv4, as which the loops show and send it.
 *
 * @returns undefined if the text is not an IP address
 */
export function parseIP(text: string): IPAddress | undefined {
  if (isIPv4(text)) return { ip: text, zone: '' }
  const at = text.indexOf('%')
  // Node takes fewer characters in a zone than interfaces have in their names.
  const ip = at === -1 ? text : text.slice(0, at)
  if (!isIPv6(ip)) return undefined
  const bytes = bytesOfIPv6(ip)
  const isMapped = isMappedIPv4(bytes)
  if (at === -1) return { ip: isMapped ? bytes.slice(12).join('.') : ip, zone: '' }
  const zone = text.slice(at + 1)
  // Only an IPv6 address has a zone.
  return isMapped || !/^[^\s%[\]/]+$/.test(zone) ? undefined : { ip, zone }
}
