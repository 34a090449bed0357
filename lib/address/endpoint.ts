/** Converts the addresses in records to text, and back. */

import { MillraceError } from '../errors.js'
import {
  ADDRESS_FAMILY,
  ADDRESS_IP,
  ADDRESS_LENGTH,
  ADDRESS_PORT,
  ADDRESS_SCOPE,
  OPEN_LOCAL,
  OPEN_REMOTE,
  OPEN_SIZE,
} from '../native/record.js'
import { scopeOf } from './interfaces.js'
import { parseIP } from './ip.js'
import { bytesOfIPv4, bytesOfIPv6, formatIPv6 } from './ipv6.js'
import { showPath } from './unix-path.js'

/**
 * The address of one end of a connection, in a compact form. It becomes text only when the text is read,
 * because most connections never show their addresses.
 */
export interface Endpoint {
  /** The four bytes of an IPv4 address as a signed integer, or the text of another address. `''`: no address. */
  readonly ip: number | string
  /** The port; -1 if `ip` is the path of a Unix socket. */
  readonly port: number
}

/** The port of an endpoint that is a Unix socket. */
const UNIX = -1
const NONE: Endpoint = { ip: '', port: 0 }

/** Reads an address from a record. The path of a Unix socket is elsewhere in the record, at `pathAt`. */
function readEndpoint(view: DataView, at: number, pathAt: number): Endpoint {
  const family = view.getUint16(at + ADDRESS_FAMILY, true)
  const port = view.getUint16(at + ADDRESS_PORT, true)
  if (family === 4) return { ip: view.getInt32(at + ADDRESS_IP), port }
  if (family === 6) return { ip: readIPv6(view, at), port }
  // A Unix socket has the length of its path in place of a port.
  return family === 1 ? { ip: readPath(view, pathAt, port), port: UNIX } : NONE
}

/** Reads the two addresses of an `OPEN` record: the peer's address, and our own. */
export function readEndpoints(view: DataView, at: number): [remote: Endpoint, local: Endpoint] {
  const remoteAt = at + OPEN_REMOTE
  const remote = readEndpoint(view, remoteAt, at + OPEN_SIZE)
  const length = remote.port === UNIX ? view.getUint16(remoteAt + ADDRESS_PORT, true) : 0
  return [remote, readEndpoint(view, at + OPEN_LOCAL, at + OPEN_SIZE + length)]
}

function readPath(view: DataView, at: number, length: number): string {
  return showPath(Buffer.from(view.buffer, at, length))
}

function readIPv6(view: DataView, at: number): string {
  const groups: number[] = []
  for (let group = 0; group < 8; group++) groups.push(view.getUint16(at + ADDRESS_IP + 2 * group))
  const scope = view.getUint32(at + ADDRESS_SCOPE, true)
  return formatIPv6(groups) + (scope === 0 ? '' : `%${scope}`)
}

/** Formats an endpoint: `127.0.0.1:80`, `[fe80::1%2]:80`, `unix:/run/my.sock`; `''` if there is no address. */
export function formatEndpoint(ip: number | string, port: number): string {
  if (typeof ip === 'number') return `${formatIPv4(ip)}:${port}`
  if (port === UNIX) return `unix:${ip}`
  return ip === '' ? '' : `[${ip}]:${port}`
}

/**
 * Formats the IP address of an endpoint, as `remoteAddress` in `node:net` does: `127.0.0.1`, `fe80::1%2`.
 *
 * @returns `undefined` for a Unix socket, or without an address
 */
export function endpointAddress(ip: number | string, port: number): string | undefined {
  if (typeof ip === 'number') return formatIPv4(ip)
  return hasIP(ip, port) ? ip : undefined
}

/**
 * Returns the port of an endpoint, as `remotePort` in `node:net` does.
 *
 * @returns `undefined` for a Unix socket, or without an address
 */
export function endpointPort(ip: number | string, port: number): number | undefined {
  return hasIP(ip, port) ? port : undefined
}

/**
 * Returns the family of an endpoint, as `remoteFamily` in `node:net` does.
 *
 * @returns `undefined` for a Unix socket, or without an address
 */
export function endpointFamily(ip: number | string, port: number): 'IPv4' | 'IPv6' | undefined {
  if (!hasIP(ip, port)) return undefined
  return typeof ip === 'number' ? 'IPv4' : 'IPv6'
}

function hasIP(ip: number | string, port: number): boolean {
  return ip !== '' && port !== UNIX
}

function formatIPv4(ip: number): string {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`
}

/** Views the words of an address as bytes. */
function dataViewOf(words: Int32Array): DataView {
  return new DataView(words.buffer, words.byteOffset, words.byteLength)
}

/** Formats the words of an address: `127.0.0.1:80`, `[fe80::1%2]:80`. */
export function endpointText(words: Int32Array): string {
  const { ip, port } = readEndpoint(dataViewOf(words), 0, 0)
  return formatEndpoint(ip, port)
}

/** Formats the words of an address without the port: `127.0.0.1`, `fe80::1%2`; `''` if there is no address. */
export function hostText(words: Int32Array): string {
  const { ip, port } = readEndpoint(dataViewOf(words), 0, 0)
  return endpointAddress(ip, port) ?? ''
}

/**
 * Encodes an IP address and a port as the words of a record.
 *
 * @param text `127.0.0.1:80` or `[fe80::1%eth0]:80`, but not a name
 * @throws `ERR_INVALID_ADDRESS`
 */
export function endpointWords(text: string): Int32Array {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const [, bracketed, plain = '', digits] = parts ?? []
  const port = Number(digits)
  const parsed = parseIP(bracketed ?? plain)
  // Brackets are for IPv6, and IPv6 needs them.
  const isBracketed = bracketed !== undefined
  if (!parsed || !(port <= 65535) || isBracketed !== (bracketed ?? '').includes(':')) {
    throw new MillraceError(
      'ERR_INVALID_ADDRESS',
      `${JSON.stringify(text)} is not an IP address with a port: write one such as 127.0.0.1:9000 or [::1]:9000`,
    )
  }
  const words = new Int32Array(ADDRESS_LENGTH / 4)
  const view = dataViewOf(words)
  const { ip, zone } = parsed
  const ipBytes = ip.includes(':') ? bytesOfIPv6(ip) : bytesOfIPv4(ip)
  view.setUint16(ADDRESS_FAMILY, ipBytes.length === 4 ? 4 : 6, true)
  view.setUint16(ADDRESS_PORT, port, true)
  ipBytes.forEach((byte, at) => {
    view.setUint8(ADDRESS_IP + at, byte)
  })
  if (ipBytes.length === 16) view.setUint32(ADDRESS_SCOPE, scopeOf(text, zone), true)
  return words
}
