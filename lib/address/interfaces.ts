/** Finds network interfaces of this machine: by name, or by the zone of an address. */

import { type NetworkInterfaceInfoIPv6, networkInterfaces } from 'node:os'
import { MillraceError } from '../errors.js'
import { interfaceIndex } from '../native/binding.js'

/**
 * Finds the number of an address's zone, which is an interface's name or number.
 *
 * @param address the address that has the zone, for the message
 * @returns 0 for an empty zone
 * @throws `ERR_INVALID_ADDRESS` if there is no such interface
 */
export function scopeOf(address: string, zone: string): number {
  if (zone === '') return 0
  if (/^\d{1,9}$/.test(zone)) return Number(zone)
  const index = indexOfInterface(zone)
  if (index !== 0) return index
  const names = Object.keys(networkInterfaces()).join(', ')
  throw new MillraceError(
    'ERR_INVALID_ADDRESS',
    `${JSON.stringify(address)} has the zone ${zone}, which is not an interface of this machine: use one of ${names}`,
  )
}

/** Finds the number of a network interface by its name. Returns 0 if no interface has that name. */
export function indexOfInterface(name: string): number {
  const scoped = networkInterfaces()[name]?.find((each) => each.family === 'IPv6' && each.scopeid)
  return (scoped as NetworkInterfaceInfoIPv6 | undefined)?.scopeid ?? interfaceIndex(name)
}
