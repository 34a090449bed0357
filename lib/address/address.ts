/** Addresses as users write them, as records carry them, and as `remote` and `local` show them. */

import { lookup } from 'node:dns/promises'
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { type NetworkInterfaceInfoIPv6, networkInterfaces } from 'node:os'
import { MillraceError } from '../errors.js'
import { interfaceIndex } from '../native/binding.js'
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

/** A TCP socket to bind. */
export interface TcpAddress {
  readonly kind: 'tcp'
  /** An IP address. */
  readonly host: string
  readonly port: number
  /** The zone of a link-local address, 0 for none. */
  readonly scope: number
  /** Take IPv4 on an IPv6 address too. */
  readonly dualStack: boolean
  /** What to take instead where the system has no IPv6. */
  readonly fallback?: string
}

/** A Unix socket. */
export interface UnixAddress {
  readonly kind: 'unix'
  /** The path, or `@` and an abstract name. */
  readonly path: string
}

/** A socket that listens already. */
export interface InheritedAddress {
  readonly kind: 'inherited'
  readonly descriptor: number
  /** How it was asked for. */
  readonly asked: string
}

/** An address of its own. */
export type StreamAddress = TcpAddress | UnixAddress

/** A socket to bind, or one that is bound. */
export type BindAddress = StreamAddress | InheritedAddress

/** Bytes in the path of a Unix socket at most: `sun_path`, without the 0 at its end. */
const MAX_PATH = process.platform === 'linux' ? 107 : 103

function invalid(address: string, why: string): MillraceError {
  return new MillraceError('ERR_INVALID_ADDRESS', `${JSON.stringify(address)} ${why}`)
}

/** The scheme of an address, and what follows it. */
function scheme(address: unknown): [scheme: string, rest: string] {
  if (typeof address !== 'string') {
    throw new MillraceError('ERR_INVALID_ADDRESS', 'an address is a string such as tcp://host:port')
  }
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(address)
  if (!match) throw invalid(address, 'has no scheme: tcp://host:port, unix:///path')
  return [match[1] as string, match[2] as string]
}

/** The host and port of what follows `tcp:`. */
function hostAndPort(address: string, rest: string): { host: string; port: number } {
  const parts = /^\/\/(?:\[([^\]]*)\]|([^:[\]/]*)):(\d{1,5})$/.exec(rest)
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

/** The path of what follows `unix:`. */
function unixPath(address: string, rest: string): UnixAddress {
  if (process.platform === 'win32')
    throw new MillraceError('ERR_UNSUPPORTED', 'there are no Unix sockets on Windows')
  const path = rest.replace(/^\/\//, '')
  if (path === '' || path === '@') throw invalid(address, 'has no path: unix:///path')
  if (path.includes('\0')) throw invalid(address, 'has a path with a 0 in it')
  if (path.startsWith('@') && process.platform !== 'linux')
    throw new MillraceError('ERR_UNSUPPORTED', 'abstract names of Unix sockets are of Linux only')
  if (Buffer.byteLength(path) > MAX_PATH)
    throw invalid(
      address,
      `has a path of more than ${MAX_PATH} bytes, which no Unix socket can have`,
    )
  return { kind: 'unix', path }
}

/** The path of a Unix socket as the system takes it: an abstract name begins with a 0. */
export function unixName(path: string): Buffer {
  const name = Buffer.from(path)
  if (path.startsWith('@')) name[0] = 0
  return name
}

/**
 * The sockets of an address: one, or one for each address of a host name. No host is all of this
 * machine's addresses, IPv6 and IPv4.
 *
 * @throws `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, or the resolver's error (`ENOTFOUND`)
 */
export async function resolve(address: string): Promise<BindAddress[]> {
  const [name, rest] = scheme(address)
  if (name === 'unix') return [unixPath(address, rest)]
  if (name === 'fd' || name === 'systemd') return inherited(address, name, rest)
  if (name !== 'tcp')
    throw invalid(address, `has a scheme other than tcp, unix, fd and systemd: ${name}`)
  return inet(address, rest)
}

/**
 * The address of a datagram socket: of a host name, its first one.
 *
 * @throws `ERR_INVALID_ADDRESS`, or the resolver's error (`ENOTFOUND`)
 */
export async function resolveDatagram(address: string): Promise<TcpAddress> {
  const [name, rest] = scheme(address)
  if (name !== 'udp') throw invalid(address, `has a scheme other than udp: ${name}`)
  const [first] = await inet(address, rest)
  return first as TcpAddress
}

/** The sockets of a host and port. */
async function inet(address: string, rest: string): Promise<TcpAddress[]> {
  const { host, port } = hostAndPort(address, rest)
  const tcp = { kind: 'tcp', port, scope: 0, dualStack: false } as const
  if (host === '') return [{ ...tcp, host: '::', dualStack: true, fallback: '0.0.0.0' }]
  const [ip = '', zone = ''] = host.split('%')
  if (isIP(ip)) return [{ ...tcp, host: ip, scope: scopeOf(address, zone) }]
  return (await lookUp(host)).map((each) => ({ ...tcp, host: each }))
}

/** All addresses of a host name, in the order in which the system's resolver has them. */
async function lookUp(host: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true, verbatim: true })
    return [...new Set(found.map((each) => each.address))]
  } catch (cause) {
    const { code = 'ENOTFOUND', message, syscall } = cause as NodeJS.ErrnoException
    throw new MillraceError(code, message, {
      cause,
      address: host,
      ...(syscall ? { syscall } : {}),
    })
  }
}

/** Whom to connect to: an address as it is, or a host whose addresses are to be looked up. */
export type Destination = StreamAddress | { readonly kind: 'name'; host: string; port: number }

/**
 * What `to` says.
 *
 * @throws `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`
 */
export function destination(address: string, wanted: 'tcp' | 'udp' = 'tcp'): Destination {
  const [name, rest] = scheme(address)
  if (name === 'unix' && wanted === 'tcp') return unixPath(address, rest)
  if (name !== wanted) throw invalid(address, `has a scheme other than tcp, udp and unix: ${name}`)
  const { host, port } = hostAndPort(address, rest)
  if (port === 0) throw invalid(address, 'has port 0, on which nobody listens')
  const [ip = '', zone = ''] = host.split('%')
  if (!isIP(ip)) return { kind: 'name', host: host === '' ? 'localhost' : host, port }
  return { kind: 'tcp', host: ip, port, scope: scopeOf(address, zone), dualStack: false }
}

/**
 * The addresses of a host, those of IPv6 and IPv4 by turns, beginning with the kind that the resolver
 * puts first (RFC 8305).
 *
 * @throws the resolver's error (`ENOTFOUND`)
 */
export async function addressesOf(host: string, port: number): Promise<TcpAddress[]> {
  const hosts = await lookUp(host)
  const isFirst = (each: string) => isIPv6(each) === isIPv6(hosts[0] ?? '')
  const [first, second] = [hosts.filter(isFirst), hosts.filter((each) => !isFirst(each))]
  const mixed = first.flatMap((each, at) => [each, ...second.slice(at, at + 1)])
  const all = [...mixed, ...second.slice(first.length)]
  return all.map((each) => ({ kind: 'tcp', host: each, port, scope: 0, dualStack: false }))
}

/** An address of this machine to connect from. */
export interface LocalAddress {
  readonly host: string
  /** 0 for any. */
  readonly port: number
  readonly scope: number
}

/**
 * What `localAddress` says: `10.0.0.7`, `10.0.0.7:4000`, `fe80::1%eth0`, `[fe80::1%eth0]:4000`.
 *
 * @throws `ERR_INVALID_ADDRESS`
 */
export function localAddress(address: string): LocalAddress {
  const parts = /^(?:\[([^\]]+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5})|(.+))$/.exec(address)
  const [host = '', zone = ''] = (parts?.[1] ?? parts?.[3] ?? parts?.[5] ?? '').split('%')
  const port = Number(parts?.[2] ?? parts?.[4] ?? 0)
  if (!isIP(host))
    throw invalid(address, 'is no IP address of this machine, with or without a port')
  if (port > 65535) throw invalid(address, 'has a port over 65535')
  return { host, port, scope: scopeOf(address, zone) }
}

/** The sockets of what follows `fd:` or `systemd:`. */
function inherited(address: string, name: string, rest: string): InheritedAddress[] {
  if (process.platform === 'win32')
    throw new MillraceError('ERR_UNSUPPORTED', 'sockets are not inherited on Windows')
  const inherit = (descriptor: number) =>
    ({ kind: 'inherited', descriptor, asked: address }) as const
  if (name === 'systemd') return fromSystemd(address, rest).map(inherit)
  const digits = /^\/\/(\d{1,9})$/.exec(rest)
  if (!digits) throw invalid(address, 'is not of the form fd://3')
  return [inherit(Number(digits[1]))]
}

/** The first descriptor that systemd gives. */
const SYSTEMD_FIRST = 3

/** Descriptors that systemd gave to this process, all or those of a name (sd_listen_fds(3)). */
function fromSystemd(address: string, rest: string): number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env
  const wanted = /^\/\/([^/:\s]*)$/.exec(rest)?.[1]
  if (wanted === undefined)
    throw invalid(address, 'is not of the form systemd:// or systemd://name')
  const count = /^\d{1,5}$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0
  if (LISTEN_PID !== String(process.pid) || count === 0)
    throw invalid(address, 'names no socket: systemd gave this process none')
  const names = LISTEN_FDNAMES?.split(':') ?? []
  const all = Array.from({ length: count }, (_, at) => SYSTEMD_FIRST + at)
  const found = wanted === '' ? all : all.filter((_, at) => names[at] === wanted)
  if (found.length === 0)
    throw invalid(address, `names no socket: systemd gave ${names.join(', ') || 'no names'}`)
  return found
}

/** The number of a zone, which may be given by the name of its interface. */
function scopeOf(address: string, zone: string): number {
  if (zone === '') return 0
  if (/^\d{1,9}$/.test(zone)) return Number(zone)
  const index = indexOfInterface(zone)
  if (index === 0) throw invalid(address, 'has a zone that is no interface')
  return index
}

/** The number of a network interface, 0 if there is none of that name. */
export function indexOfInterface(name: string): number {
  const scoped = networkInterfaces()[name]?.find((each) => each.family === 'IPv6' && each.scopeid)
  return (scoped as NetworkInterfaceInfoIPv6 | undefined)?.scopeid ?? interfaceIndex(name)
}

/** An address as text: `tcp://127.0.0.1:80`, `tcp://[::1]:80`, `unix:///run/my.sock`. */
export function formatAddress(
  address: Pick<TcpAddress, 'kind' | 'host' | 'port'> | UnixAddress,
): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  return `tcp://${endpoint(address.host, address.port)}`
}

export function endpoint(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** The numbers of an address in a record, from which its text is made when somebody asks. */
export interface Endpoint {
  /** The four bytes of an IPv4 address as a signed integer, or the text of any other. */
  readonly ip: number | string
  /** -1 for the path of a Unix socket. */
  readonly port: number
}

const NONE: Endpoint = { ip: '', port: 0 }

/** Reads an address from a record; a path stands elsewhere. */
function readEndpoint(view: DataView, at: number, path: number): Endpoint {
  const family = view.getUint16(at + ADDRESS_FAMILY, true)
  const port = view.getUint16(at + ADDRESS_PORT, true)
  if (family === 4) return { ip: view.getInt32(at + ADDRESS_IP), port }
  if (family === 6) return { ip: readIPv6(view, at), port }
  return family === 1 ? { ip: readPath(view, path, port), port: -1 } : NONE
}

/** Reads the addresses of an `OPEN` record: the peer's, and ours. */
export function readEndpoints(view: DataView, at: number): [remote: Endpoint, local: Endpoint] {
  const remoteAt = at + OPEN_REMOTE
  const remote = readEndpoint(view, remoteAt, at + OPEN_SIZE)
  const length = remote.port === -1 ? view.getUint16(remoteAt + ADDRESS_PORT, true) : 0
  return [remote, readEndpoint(view, at + OPEN_LOCAL, at + OPEN_SIZE + length)]
}

function readPath(view: DataView, at: number, length: number): string {
  return showPath(Buffer.from(view.buffer, at, length))
}

/** The path of a Unix socket as the system gives it. */
export function showPath(name: Buffer): string {
  const path = name.toString()
  return path.startsWith('\0') ? `@${path.slice(1)}` : path
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

/** An endpoint as text: `127.0.0.1:80`, `[fe80::1%2]:80`, `unix:/run/my.sock`. */
export function formatEndpoint(ip: number | string, port: number): string {
  if (typeof ip === 'number') {
    return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}:${port}`
  }
  if (port === -1) return `unix:${ip}`
  return ip === '' ? '' : `[${ip}]:${port}`
}

/** The words of an address in a record, viewed as bytes. */
function viewOf(words: Int32Array): DataView {
  return new DataView(words.buffer, words.byteOffset, words.byteLength)
}

/** Words of an address in a record as text: `127.0.0.1:80`, `[fe80::1%2]:80`. */
export function endpointText(words: Int32Array): string {
  const { ip, port } = readEndpoint(viewOf(words), 0, 0)
  return formatEndpoint(ip, port)
}

/** The same without the port. */
export function hostText(words: Int32Array): string {
  const { ip } = readEndpoint(viewOf(words), 0, 0)
  return typeof ip === 'string' ? ip : formatEndpoint(ip, 0).slice(0, -2)
}

/**
 * The words of an address as records carry it, of its text: an IP address, never a name.
 *
 * @throws `ERR_INVALID_ADDRESS`
 */
export function endpointWords(text: string): Int32Array {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const [, bracketed, plain = '', digits] = parts ?? []
  const port = Number(digits)
  const [ip = '', zone = ''] = (bracketed ?? plain).split('%')
  if (port > 65535 || !(bracketed === undefined ? isIPv4(plain) : isIPv6(ip))) {
    throw invalid(text, 'is not of the form 127.0.0.1:port or [::1]:port')
  }
  const words = new Int32Array(ADDRESS_LENGTH / 4)
  const view = viewOf(words)
  const bytes = bracketed === undefined ? bytesOfIPv4(plain) : bytesOfIPv6(ip)
  const isMapped = bytes.length === 16 && isMappedIPv4(bytes)
  const own = isMapped ? bytes.slice(12) : bytes
  view.setUint16(ADDRESS_FAMILY, own.length === 4 ? 4 : 6, true)
  view.setUint16(ADDRESS_PORT, port, true)
  own.forEach((byte, at) => {
    view.setUint8(ADDRESS_IP + at, byte)
  })
  if (own.length === 16) view.setUint32(ADDRESS_SCOPE, scopeOf(text, zone), true)
  return words
}

function bytesOfIPv4(ip: string): number[] {
  return ip.split('.').map(Number)
}

/** Of an address that is known to be one. */
function bytesOfIPv6(ip: string): number[] {
  const groups = (part: string) =>
    part.split(':').flatMap((group) => {
      if (group === '') return []
      if (group.includes('.')) return bytesOfIPv4(group)
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 255]
    })
  const [left = '', right = ''] = ip.split('::')
  const [front, back] = [groups(left), groups(right)]
  return [...front, ...Array(16 - front.length - back.length).fill(0), ...back]
}

/** IPv4 in IPv6 is IPv4: the loop shows it so, and sends it so. */
function isMappedIPv4(bytes: number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
}

/** The IP address of an endpoint; undefined for a Unix socket. */
export function endpointAddress(ip: number | string, port: number): string | undefined {
  if (typeof ip === 'number') return formatEndpoint(ip, 0).slice(0, -2)
  return port === -1 || ip === '' ? undefined : ip
}

/** The port of an endpoint; undefined for a Unix socket. */
export function endpointPort(ip: number | string, port: number): number | undefined {
  return port === -1 || ip === '' ? undefined : port
}

/** The family of an endpoint; undefined for a Unix socket. */
export function endpointFamily(ip: number | string, port: number): 'IPv4' | 'IPv6' | undefined {
  if (port === -1 || ip === '') return undefined
  return typeof ip === 'number' ? 'IPv4' : 'IPv6'
}
