/** Makes PROXY headers, with which a proxy says for whom it connects. */

import { invalidOption, MillraceError, shown } from '../errors.js'
import { ADDRESS_FAMILY, ADDRESS_IP, ADDRESS_PORT } from '../native/record.js'
import { checkNames } from '../util/checks.js'
import { endpointWords } from './endpoint.js'
import { formatIPv6 } from './ipv6.js'

/**
 * A client and the address that it connected to. Each {@link Conn} and each {@link Peer} is one.
 *
 * @example
 * ```ts
 * const client: ProxiedAddresses = { remote: '192.0.2.7:50123', local: '198.51.100.9:443' }
 * conn.write(proxyHeader(client)) // the first thing on a connection to an upstream
 * ```
 */
export interface ProxiedAddresses {
  /** The client's address: `127.0.0.1:80`, `[::1]:80`, or that of a Unix socket. */
  readonly remote: string
  /** The address that the client connected to. */
  readonly local: string
}

/**
 * The options of {@link proxyHeader}.
 *
 * @example
 * ```ts
 * const asText: ProxyHeaderOptions = { version: 1 }
 * const header = proxyHeader(conn, asText) // PROXY TCP4 192.0.2.7 198.51.100.9 50123 443
 * ```
 */
export interface ProxyHeaderOptions {
  /** 1 is a line of text, 2 is binary. Default 2. */
  version?: 1 | 2 | undefined
}

const NAMES: ReadonlySet<string> = new Set(['version'])

/** How a header of version 2 begins. */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** The version in the upper half of a byte, and the command. */
const LOCAL = 0x20
const PROXY = 0x21
/** The family in the upper half of a byte, and the protocol. */
const UNSPECIFIED = 0x00
const TCP4 = 0x11
const TCP6 = 0x21

/**
 * Makes the PROXY header that says for whom a connection is made. Write it as the first thing on the connection to the
 * upstream.
 *
 * If either address is that of a Unix socket, the header says that there are no addresses to tell (`UNKNOWN` in version 1,
 * `LOCAL` in version 2), and the upstream then sees your address. If one is IPv4 and the other is IPv6, the IPv4 address
 * is sent as an IPv4-mapped one. Zones of link-local addresses are not sent, as there is no room for them.
 *
 * @param client the client: its connection, or its addresses
 * @returns the header, at most 107 bytes
 * @throws `ERR_INVALID_ADDRESS` if an address is not an IP address with a port; `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * const both = { allowHalfOpen: true }
 *
 * await serve({
 *   ...both,
 *   listen: 8000,
 *   async open(client) {
 *     const upstream = await connect({ ...both, to: 9000, loop: client })
 *     upstream.write(proxyHeader(client))
 *     await pipe(client, upstream)
 *   },
 * })
 * ```
 */
export function proxyHeader(client: ProxiedAddresses, options: ProxyHeaderOptions = {}): Buffer {
  if (typeof client !== 'object' || client === null)
    throw invalidOption('client', 'a connection, or an object with remote and local', client)
  checkNames(options, NAMES, ' of proxyHeader')
  const { version = 2 } = options
  if (version !== 1 && version !== 2) throw invalidOption('version', '1 or 2', version)
  const ends = [readAddress(client.remote), readAddress(client.local)]
  const known = ends.filter((end) => end !== undefined)
  const [from, to] = known.some(({ ip }) => ip.length === 16) ? known.map(toIPv6) : known
  if (from === undefined || to === undefined)
    return version === 1 ? text() : binary(LOCAL, UNSPECIFIED)
  return version === 1
    ? text(from, to)
    : binary(PROXY, from.ip.length === 4 ? TCP4 : TCP6, from, to)
}

/** An IP address and a port. */
interface End {
  /** The bytes of the address, 4 or 16. */
  readonly ip: readonly number[]
  readonly port: number
}

/** Reads an address as connections show it. Returns undefined for a Unix socket. */
function readAddress(address: unknown): End | undefined {
  if (typeof address !== 'string') {
    const why = "is not an address: write one such as '127.0.0.1:9000', or give a connection"
    throw new MillraceError('ERR_INVALID_ADDRESS', `${shown(address)} ${why}`)
  }
  // A Unix socket without a path has an empty address.
  if (address === '' || address.startsWith('unix:')) return undefined
  const words = endpointWords(address.replace(/%[^\]]*\]/, ']'))
  const view = new DataView(words.buffer)
  const size = view.getUint16(ADDRESS_FAMILY, true) === 4 ? 4 : 16
  const ip = Array.from({ length: size }, (_, at) => view.getUint8(ADDRESS_IP + at))
  return { ip, port: view.getUint16(ADDRESS_PORT, true) }
}

/** Maps an IPv4 address into IPv6. */
function toIPv6({ ip, port }: End): End {
  return ip.length === 16 ? { ip, port } : { ip: [...Array(10).fill(0), 255, 255, ...ip], port }
}

function text(...ends: [from: End, to: End] | []): Buffer {
  const [from, to] = ends
  if (from === undefined || to === undefined) return Buffer.from('PROXY UNKNOWN\r\n')
  const show = ({ ip }: End) => {
    if (ip.length === 4) return ip.join('.')
    return formatIPv6(Array.from({ length: 8 }, (_, at) => Buffer.from(ip).readUInt16BE(2 * at)))
  }
  const family = from.ip.length === 4 ? 'TCP4' : 'TCP6'
  return Buffer.from(`PROXY ${family} ${show(from)} ${show(to)} ${from.port} ${to.port}\r\n`)
}

function binary(command: number, family: number, ...ends: End[]): Buffer {
  const ips = ends.flatMap(({ ip }) => ip)
  const ports = ends.flatMap(({ port }) => [port >> 8, port & 255])
  const length = ips.length + ports.length
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, 0, length, ...ips, ...ports])])
}
