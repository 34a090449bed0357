/** Checks multicast groups and interfaces, and turns them into what the native half takes. */

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { indexOfInterface } from '../address/interfaces.js'
import { invalidOption, MillraceError, shown } from '../errors.js'
import { hasSourcesV6, type SettingInit } from '../native/binding.js'
import { checkNames, whole } from '../util/checks.js'
import type { MembershipOptions } from './multicast-options.js'

const MEMBERSHIP_NAMES: ReadonlySet<string> = new Set(['interface', 'source'])

/**
 * Checks a group to join or to leave.
 *
 * @throws `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function membershipSetting(
  name: 'join' | 'leave',
  group: unknown,
  options: MembershipOptions = {},
): SettingInit {
  checkNames(options, MEMBERSHIP_NAMES, ' of a multicast group')
  const family = typeof group === 'string' ? isIP(group) : 0
  const address = group as string
  if (family === 4) {
    const first = Number(address.split('.')[0])
    if (first < 224 || first > 239) throw invalidGroup(group)
    const ownAddress = interfaceAddress(options.interface)
    const setting = { name, value: 0, group: address, interface: ownAddress }
    if (options.source === undefined) return setting
    if (typeof options.source !== 'string' || !isIPv4(options.source))
      throw invalidOption('source', 'an IPv4 address', options.source)
    return { ...setting, source: options.source }
  }
  const [ip = '', zone] = family === 6 ? address.split('%') : []
  if (!/^ff/i.test(ip)) throw invalidGroup(group)
  const setting = {
    name,
    value: interfaceNumber(options.interface === undefined ? zone : options.interface),
    group: ip,
  }
  return options.source === undefined ? setting : withIPv6Source(setting, options.source)
}

/**
 * Restricts an IPv6 membership to one sender.
 *
 * @param source the sender's address. Its zone, which `info.address` shows, may stay
 */
function withIPv6Source(setting: SettingInit, source: unknown): SettingInit {
  if (typeof source !== 'string' || !isIPv6(source) || /^ff/i.test(source))
    throw invalidOption('source', 'the IPv6 address of a host', source)
  if (!hasSourcesV6()) {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      `${process.platform} cannot restrict an IPv6 group to one source: check info.address instead`,
    )
  }
  const [host = '', zone] = source.split('%')
  const index = setting.value === 0 ? interfaceNumber(zone) : setting.value
  if (zone !== undefined && interfaceNumber(zone) !== index)
    throw invalidOption('source', 'an address on the interface of the group', source)
  return { ...setting, value: index, source: host }
}

function invalidGroup(group: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_ADDRESS',
    `${shown(group)} is not a multicast address: use one such as 239.1.2.3 or ff02::114`,
  )
}

/**
 * Checks the network interface that multicasts are sent from.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function outgoingInterface(value: unknown, family: 4 | 6): SettingInit {
  const name = 'multicastInterface'
  if (family === 6) return { name, value: interfaceNumber(value) }
  return { name, value: 0, interface: interfaceAddress(value) }
}

/** Returns the IPv4 address of an interface, which may be given as its name. Undefined: any interface. */
function interfaceAddress(value: unknown): string {
  if (value === undefined) return '0.0.0.0'
  if (typeof value === 'string') {
    if (isIPv4(value)) return value
    const found = networkInterfaces()[value]?.find((each) => each.family === 'IPv4')
    if (found !== undefined) return found.address
  }
  throw invalidOption('interface', 'the name or the IPv4 address of an interface', value)
}

/** Returns the index of an interface, which may be given as its name. Undefined: 0, any interface. */
function interfaceNumber(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return whole('interface', value, 0, 0)
  if (typeof value === 'string') {
    const index = /^\d{1,9}$/.test(value) ? Number(value) : indexOfInterface(value)
    if (index > 0) return index
  }
  throw invalidOption('interface', 'the name or the index of an interface', value)
}
