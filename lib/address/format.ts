/** Shows addresses as text: those of bound sockets, and those that users wrote. */

import { isIPv6 } from 'node:net'
import { shown } from '../errors.js'
import type { TcpAddress, UnixAddress } from './socket-address.js'

/** Formats the address of a socket: `tcp://127.0.0.1:80`, `tcp://[::1]:80`, `unix:///run/my.sock`. */
export function formatAddress(
  address: Pick<TcpAddress, 'kind' | 'host' | 'port'> | UnixAddress,
): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  return `tcp://${formatHostPort(address.host, address.port)}`
}

/** Formats a host and a port, with IPv6 in brackets: `127.0.0.1:80`, `[fe80::1%2]:80`. */
export function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** Returns the port of a formatted address. `undefined` for a Unix socket, or without an address. */
export function portOf(address: string | undefined): number | undefined {
  const digits = /^(?:tcp|udp):.*:(\d+)$/.exec(address ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Shows an address as its user wrote it: a string as it is, anything else as in code. */
export function showAddress(address: unknown): string {
  return typeof address === 'string' ? address : showValue(address)
}

/** Shows any value as in code: `"text"`, `9000`, `{ host: "::1", port: 9000 }`. */
export function showValue(value: unknown): string {
  if (!isFields(value)) return shown(value)
  const fields = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([name, each]) => `${name}: ${isFields(each) ? '{…}' : shown(each)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

/** Returns whether a value is an object whose fields may make an address. */
export function isFields(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof URL)
  )
}
