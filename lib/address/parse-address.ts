/** Parses every `Address`: those of `serve`, `connect` and `bind`. Names are not looked up here. */

import { isFields } from './format.js'
import { parseIP } from './ip.js'
import {
  type AddressUse,
  badDescriptor,
  badFields,
  badHostPort,
  badPort,
  badSystemd,
  badText,
  noAddress,
  wrongPath,
  wrongScheme,
} from './refusals.js'
import type { UnixAddress } from './socket-address.js'
import { unixAddress } from './unix-path.js'

/** A host and a port. */
export interface HostAddress {
  readonly kind: 'host'
  /** An IP address with its zone, or a name; `''` if the address has no host. */
  readonly host: string
  readonly port: number
}

/** A descriptor of this process: `fd://3`. */
export interface DescriptorAddress {
  readonly kind: 'fd'
  readonly descriptor: number
  /** The address as the user wrote it. */
  readonly text: string
}

/** Sockets that systemd passed: `systemd://web`. */
export interface SystemdAddress {
  readonly kind: 'systemd'
  /** The name of the sockets; `''` for all sockets. */
  readonly name: string
  /** The address as the user wrote it. */
  readonly text: string
}

/** An address, split into its parts. */
export type ParsedAddress = HostAddress | UnixAddress | DescriptorAddress | SystemdAddress

/** The schemes that each use accepts. */
const SCHEMES: Readonly<Record<AddressUse, readonly string[]>> = {
  listen: ['tcp', 'unix', 'fd', 'systemd'],
  connect: ['tcp', 'udp', 'unix'],
  bind: ['udp'],
}

/**
 * Parses an address.
 *
 * @param use what the address is for
 * @throws `ERR_INVALID_ADDRESS`, with the right form in its message; `ERR_UNSUPPORTED`
 */
export function parseAddress(address: unknown, use: 'listen'): ParsedAddress
export function parseAddress(address: unknown, use: 'connect'): HostAddress | UnixAddress
export function parseAddress(address: unknown, use: 'bind'): HostAddress
export function parseAddress(address: unknown, use: AddressUse): ParsedAddress {
  if (typeof address === 'string') return parseText(address, use)
  if (isFields(address)) return parseFields(address, use)
  if (typeof address !== 'number') throw noAddress(address, use)
  if (!isPort(address, use)) throw badPort(address, use)
  return { kind: 'host', host: '', port: address }
}

/** Returns whether a value is a port. Port 0 is not for `connect`. */
function isPort(value: unknown, use: AddressUse): value is number {
  const least = use === 'connect' ? 1 : 0
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= 65535
}

/** Returns whether a text is an IPv6 address without brackets, or any other host that a URL may have. */
function isHost(host: string): boolean {
  return parseIP(host) !== undefined || (/^[\x21-\x7e]*$/.test(host) && !/[:[\]/?#@%*]/.test(host))
}

function parseText(text: string, use: AddressUse): ParsedAddress {
  if (/^(?:0|[1-9]\d*)$/.test(text)) {
    if (!isPort(Number(text), use)) throw badPort(text, use)
    return { kind: 'host', host: '', port: Number(text) }
  }
  const [, scheme = '', rest = ''] = /^(tcp|udp|unix|fd|systemd):(.*)$/s.exec(text) ?? []
  if (scheme === '') throw badText(text, use)
  if (!SCHEMES[use].includes(scheme)) throw wrongScheme(text, scheme, use)
  switch (scheme) {
    case 'unix':
      return unixAddress(rest.replace(/^\/\//, ''), JSON.stringify(text), 'unix:///run/my.sock')
    case 'fd':
      return parseDescriptor(text, rest)
    case 'systemd':
      return parseSystemd(text, rest)
    default:
      return parseHostPort(text, rest, use)
  }
}

function parseHostPort(text: string, rest: string, use: AddressUse): HostAddress {
  const parts = /^\/\/(?:\[([^\]]*)\]|([^:[\]/]*)):(\d{1,5})$/.exec(rest)
  const [, bracketed, plain = '', digits] = parts ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (!parts || !isPort(port, use) || !isHost(host)) throw badHostPort(text, use)
  if (bracketed !== undefined && !bracketed.includes(':')) throw badHostPort(text, use)
  return { kind: 'host', host, port }
}

function parseDescriptor(text: string, rest: string): DescriptorAddress {
  const digits = /^\/\/(\d{1,9})$/.exec(rest)?.[1]
  if (digits === undefined) throw badDescriptor(text)
  return { kind: 'fd', descriptor: Number(digits), text }
}

function parseSystemd(text: string, rest: string): SystemdAddress {
  const name = /^\/\/([^/:\s]*)$/.exec(rest)?.[1]
  if (name === undefined) throw badSystemd(text)
  return { kind: 'systemd', name, text }
}

const FIELDS: ReadonlySet<string> = new Set(['host', 'port', 'path'])

function parseFields(object: Record<string, unknown>, use: AddressUse): ParsedAddress {
  // Only the object's own fields, so that it makes no difference what a prototype has.
  const fields: Record<string, unknown> = { __proto__: null, ...object }
  const { host, port, path } = fields
  const isKnown = Object.keys(fields).every((name) => FIELDS.has(name))
  if (isKnown && typeof path === 'string' && host === undefined && port === undefined) {
    if (use === 'bind') throw wrongPath(fields)
    return unixAddress(path, `{ path: ${JSON.stringify(path)} }`, '{ path: "/run/my.sock" }')
  }
  const name = host === undefined ? '' : host
  const isHostPort = isPort(port, use) && typeof name === 'string' && isHost(name)
  if (!isKnown || path !== undefined || !isHostPort) throw badFields(fields, use)
  return { kind: 'host', host: name, port }
}
