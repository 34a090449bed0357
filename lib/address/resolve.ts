/** Turns parsed addresses into addresses of sockets. Names are looked up here. */

import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { MillraceError } from '../errors.js'
import { inherited } from './inherited.js'
import { scopeOf } from './interfaces.js'
import { parseIP } from './ip.js'
import type { HostAddress, ParsedAddress } from './parse-address.js'
import type { BindAddress, TcpAddress } from './socket-address.js'

/**
 * Finds the addresses to listen on: one, or one for each address of a name. Without a host they are all
 * addresses of this machine, IPv6 and IPv4.
 *
 * @throws `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, or the resolver's error (`ENOTFOUND`)
 */
export async function resolve(address: ParsedAddress): Promise<BindAddress[]> {
  if (address.kind === 'unix') return [address]
  return address.kind === 'host' ? resolveHost(address) : inherited(address)
}

/**
 * Finds the address to bind a datagram socket to: the first one of a name.
 *
 * @throws `ERR_INVALID_ADDRESS`, or the resolver's error (`ENOTFOUND`)
 */
export async function resolveDatagram(address: HostAddress): Promise<TcpAddress> {
  const [first] = await resolveHost(address)
  return first as TcpAddress
}

async function resolveHost({ host, port }: HostAddress): Promise<TcpAddress[]> {
  const tcp = { kind: 'tcp', port, scope: 0, dualStack: false } as const
  if (host === '') return [{ ...tcp, host: '::', dualStack: true, fallback: '0.0.0.0' }]
  const address = parseIP(host)
  if (address) return [{ ...tcp, host: address.ip, scope: scopeOf(host, address.zone) }]
  return (await lookUp(host)).map((found) => ({ ...tcp, host: found }))
}

/** Looks up all addresses of a name, at least one, in the order of the system's resolver. */
async function lookUp(host: string): Promise<string[]> {
  let found: LookupAddress[]
  try {
    found = await lookup(host, { all: true, verbatim: true })
  } catch (cause) {
    const { code = 'ENOTFOUND', message, syscall } = cause as NodeJS.ErrnoException
    throw new MillraceError(code, message, {
      cause,
      address: host,
      ...(syscall ? { syscall } : {}),
    })
  }
  if (found.length === 0) {
    // Otherwise a server would listen nowhere.
    const message = `getaddrinfo ENOTFOUND ${host}: the name has no address`
    throw new MillraceError('ENOTFOUND', message, { syscall: 'getaddrinfo', address: host })
  }
  return [...new Set(found.map((each) => each.address))]
}

/**
 * Looks up the addresses of a name, ordered for connecting: IPv6 and IPv4 take turns, beginning with the
 * family that the resolver lists first (RFC 8305).
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
