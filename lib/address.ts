/** Addresses as users write them, as records carry them, and as `remote` and `local` show them. */

import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import { MillraceError } from './errors.js'
import { ADDRESS_FAMILY, ADDRESS_IP, ADDRESS_PORT, ADDRESS_SCOPE } from './record.js'

/** A socket to bind. */
export interface BindAddress {
  /** An IP address. */
  host: string
  port: number
  /** The zone of a link-local address, 0 for none. */
  scope: number
  /** Take IPv4 on an IPv6 address too. */
  dualStack: boolean
  /** What to take instead where the system has no IPv6. */
  fallback?: string
}

function invalid(address: string, why: string): MillraceError {
  return new MillraceError('ERR_INVALID_ADDRESS', `${JSON.stringify(address)} ${why}`)
}

/** The host and port of `tcp://host:port`. */
function split(address: string): { host: string; port: number } {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(address)
  if (!match) throw invalid(address, 'has no scheme: tcp://host:port')
  const [, scheme, rest] = match as unknown as [string, string, string]
  if (scheme !== 'tcp') throw invalid(address, `has a scheme other than tcp: ${scheme}`)
  const parts = /^(?:\[([^\]]*)\]|([^:[\]/]*)):(\d{1,5})$/.exec(rest)
  if (!parts) throw invalid(address, 'is not of the form tcp://host:port')
  const [, bracketed, plain, digits] = parts
  const port = Number(digits)
  if (port > 65535) throw invalid(address, 'has a port over 65535')
  if (bracketed !== undefined && !isIPv6(bracketed))
    throw invalid(address, 'has no IPv6 address in []')
  const host = bracketed ?? plain ?? ''
  if (/[^\x21-\x7e]/.test(host))
    throw invalid(address, 'has a host with a space or control character')
  return { host, port }
}

/**
 * The sockets of an address: one, or one for each address of a host name. No host is all of this
 * machine's addresses, IPv6 and IPv4.
 *
 * @throws `ERR_INVALID_ADDRESS`, or the resolver's error (`ENOTFOUND`)
 */
export async function resolve(address: string): Promise<BindAddress[]> {
  if (typeof address !== 'string') {
    throw new MillraceError('ERR_INVALID_ADDRESS', 'an address is a string such as tcp://host:port')
  }
  const { host, port } = split(address)
  if (host === '') return [{ host: '::', port, scope: 0, dualStack: true, fallback: '0.0.0.0' }]
  const [ip = '', zone = ''] = host.split('%')
  if (isIP(ip)) return [{ host: ip, port, scope: scopeOf(address, zone), dualStack: false }]
  let found: { address: string }[]
  try {
    found = await lookup(host, { all: true })
  } catch (cause) {
    const { code = 'ENOTFOUND', message, syscall } = cause as NodeJS.ErrnoException
    throw new MillraceError(code, message, {
      cause,
      address: host,
      ...(syscall ? { syscall } : {}),
    })
  }
  const hosts = [...new Set(found.map((each) => each.address))]
  return hosts.map((each) => ({ host: each, port, scope: 0, dualStack: false }))
}

function scopeOf(address: string, zone: string): number {
  if (zone === '') return 0
  const number = Number(zone)
  if (!Number.isInteger(number)) throw invalid(address, 'has a zone that is no interface number')
  return number
}

/** An address as text: `tcp://127.0.0.1:80`, `tcp://[::1]:80`. */
export function format(host: string, port: number): string {
  return `tcp://${endpoint(host, port)}`
}

function endpoint(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** The numbers of an address in a record, from which its text is made when somebody asks. */
export interface Endpoint {
  /** The four bytes of an IPv4 address as a signed integer, or the text of any other. */
  readonly ip: number | string
  readonly port: number
}

/** Reads an address from a record. */
export function readEndpoint(view: DataView, at: number): Endpoint {
  const family = view.getUint16(at + ADDRESS_FAMILY, true)
  const port = view.getUint16(at + ADDRESS_PORT, true)
  if (family === 4) return { ip: view.getInt32(at + ADDRESS_IP), port }
  if (family === 6) return { ip: readIPv6(view, at), port }
  return { ip: '', port }
}

function readIPv6(view: DataView, at: number): string {
  const groups: string[] = []
  for (let group = 0; group < 8; group++) {
    groups.push(view.getUint16(at + ADDRESS_IP + 2 * group).toString(16))
  }
  const scope = view.getUint32(at + ADDRESS_SCOPE, true)
  return compress(groups) + (scope === 0 ? '' : `%${scope}`)
}

/** The longest run of two or more zero groups becomes `::` (RFC 5952). */
function compress(groups: string[]): string {
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === '0') length++
    if (length > best.length) best = { at, length }
  }
  if (best.at === -1) return groups.join(':')
  const left = groups.slice(0, best.at).join(':')
  return `${left}::${groups.slice(best.at + best.length).join(':')}`
}

/** An endpoint as text: `127.0.0.1:80`, `[fe80::1%2]:80`. */
export function formatEndpoint(ip: number | string, port: number): string {
  if (typeof ip === 'number') {
    return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}:${port}`
  }
  return ip === '' ? '' : `[${ip}]:${port}`
}
