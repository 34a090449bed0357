/** Makes the errors for addresses that are refused. Each says what is wrong, and shows the right form. */

import { isIPv4, isIPv6 } from 'node:net'
import { MillraceError } from '../errors.js'
import { formatHostPort, showValue } from './format.js'
import { parseIP } from './ip.js'

/** What an address is for: `serve`, `connect`, or `bind`. */
export type AddressUse = 'listen' | 'connect' | 'bind'

/** The port in examples. */
const PORT = 9000

function invalid(address: unknown, why: string, right: string): MillraceError {
  return new MillraceError('ERR_INVALID_ADDRESS', `${showValue(address)} ${why}: ${right}`)
}

function schemeFor(use: AddressUse): string {
  return use === 'bind' ? 'udp' : 'tcp'
}

/** Lists the forms that an address can have, for input that resembles none of them. */
function allForms(use: AddressUse): string {
  const url = `${schemeFor(use)}://127.0.0.1:${PORT}`
  const objects = [`{ host: "127.0.0.1", port: ${PORT} }`]
  if (use !== 'bind') objects.push('{ path: "/run/my.sock" }')
  return `write a port such as ${PORT}, a URL such as ${url}, or an object such as ${objects.join(' or ')}`
}

function portRange(use: AddressUse): string {
  const least = use === 'connect' ? 1 : 0
  return `a port${use === 'connect' ? ' to connect to' : ''} is a whole number from ${least} to 65535, such as ${PORT}`
}

/** Refuses a value that is not a string, a number or an object with fields. */
export function noAddress(address: unknown, use: AddressUse): MillraceError {
  if (address instanceof URL)
    return invalid(
      address.href,
      'is a URL object',
      `write a string such as ${suggestion(address.href, use)}`,
    )
  return invalid(address, 'is not an address', allForms(use))
}

/** Refuses a number, or digits, that are not a port. */
export function badPort(port: number | string, use: AddressUse): MillraceError {
  return invalid(port, 'is not a port', portRange(use))
}

/** Refuses a text that is neither a port nor a URL with a known scheme. */
export function badText(text: string, use: AddressUse): MillraceError {
  const trimmed = text.trim()
  if (trimmed === '') return invalid(text, text === '' ? 'is empty' : 'is blank', allForms(use))
  if (trimmed !== text) return invalid(text, 'has spaces around it', write(trimmed, use))
  if (/^0+\d+$/.test(text) && Number(text) <= 65535)
    return invalid(text, 'has leading zeros', `write ${Number(text)}`)
  // A fraction, a negative number, an exponent.
  if (!Number.isNaN(Number(text))) return badPort(text, use)
  const [, scheme, body = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  if (scheme !== undefined) {
    const isKnown = /^(tcp|udp|unix|fd|systemd)$/i.test(scheme)
    if (isKnown)
      return invalid(
        text,
        `has the scheme ${scheme} in capital letters`,
        `write ${scheme.toLowerCase()}://${body}`,
      )
    return invalid(text, `has the unknown scheme ${scheme}`, write(text, use))
  }
  if (/^(?:\.{0,2}\/|~\/|@)|\.sock$/.test(text)) {
    if (use === 'bind') return wrongPath(text)
    return invalid(
      text,
      'has no scheme',
      `write unix://${text} or { path: ${JSON.stringify(text)} }`,
    )
  }
  const [, port] = split(text) ?? []
  const why = port === undefined ? 'has no scheme and no port' : 'has no scheme'
  return invalid(text, why, write(text, use))
}

/** Refuses a scheme that is known, but not for this use. */
export function wrongScheme(text: string, scheme: string, use: AddressUse): MillraceError {
  const quoted = JSON.stringify(text)
  if (scheme === 'udp')
    return invalid(
      text,
      'is for datagrams, and serve takes streams',
      `write bind({ address: "${suggestion(text, use, 'udp')}" }), or listen on ${suggestion(text, use)}`,
    )
  if (scheme === 'fd' || scheme === 'systemd')
    return invalid(
      text,
      'is for a socket that already listens for streams',
      `write serve({ listen: ${quoted} })`,
    )
  return forStreams(text, use)
}

/** Refuses the path of a Unix socket for `bind`. */
export function wrongPath(address: unknown): MillraceError {
  return forStreams(address, 'bind')
}

function forStreams(address: unknown, use: AddressUse): MillraceError {
  const isTcp = typeof address === 'string' && address.startsWith('tcp:')
  const isPath = typeof address === 'string' && !/^(?:tcp|unix):/.test(address)
  const stream = isTcp ? suggestion(address, use, 'tcp') : isPath ? `unix://${address}` : address
  const value = showValue(stream)
  const ways = [`serve({ listen: ${value} }) to listen`, `connect({ to: ${value} }) to connect`]
  if (isTcp) ways.push(`bind({ address: "${suggestion(address, use)}" }) for datagrams`)
  return invalid(address, 'is for streams, and bind takes datagrams', `write ${ways.join(', or ')}`)
}

/** Refuses a `tcp:` or `udp:` URL that is not well formed. */
export function badHostPort(text: string, use: AddressUse): MillraceError {
  const rest = text.replace(/^[a-z]+:/, '')
  const [, port = ''] = split(rest.replace(/^\/\//, '')) ?? []
  const why = malformed(rest)
  if (why === undefined && !isPort(port, use))
    return invalid(text, `has the port ${Number(port)}`, portRange(use))
  const scheme = text.slice(0, text.indexOf(':'))
  return invalid(text, why ?? 'has a port with leading zeros', write(text, use, scheme))
}

const WRONG_ZONE = 'has a zone, which only an IPv6 address in brackets has'

/** Returns whether a host has a zone, but is no IPv6 address. An IPv4 address may be written as one. */
function hasWrongZone(host: string): boolean {
  if (!host.includes('%')) return false
  return !isIPv6(host) || isIPv4(parseIP(withoutZone(host))?.ip ?? '')
}

function withoutZone(host: string): string {
  return host.replace(/%.*$/, '')
}

/** Says what is wrong after `tcp:`. `undefined` if only the port can be wrong. */
function malformed(rest: string): string | undefined {
  if (!rest.startsWith('//')) return 'has no // behind its scheme'
  const body = rest.slice(2)
  if (/[^\x21-\x7e]/.test(body)) return 'has a space, a control character or a non-ASCII letter'
  if (/^\*(?::|$)/.test(body)) return 'has the host *, which nobody has: all addresses have no host'
  if (/[/?#@]/.test(body)) return 'has more than a host and a port'
  const [host, port] = split(body) ?? []
  if (body.startsWith('[')) {
    if (!body.includes(']')) return 'has a bracket that is not closed'
    if (!isIPv6(host ?? '')) return 'has brackets without an IPv6 address'
    if (hasWrongZone(host ?? '')) return WRONG_ZONE
  } else if (host?.includes('%')) {
    return WRONG_ZONE
  } else if (isIPv6(host ?? '')) {
    return 'has an IPv6 address without brackets'
  }
  if (host === undefined) return 'has more than a host and a port'
  if (port === undefined || port === '') return 'has no port'
  return /^\d+$/.test(port) ? undefined : 'has a port that is not a number'
}

/** Refuses an `fd:` URL that is not well formed. */
export function badDescriptor(text: string): MillraceError {
  const digits = /^fd:\/*(\d{1,9})\/*$/.exec(text)?.[1]
  const right = digits === undefined ? 'write one such as fd://3' : `write fd://${digits}`
  return invalid(text, 'is not fd:// with the number of a descriptor', right)
}

/** Refuses a `systemd:` URL that is not well formed. */
export function badSystemd(text: string): MillraceError {
  const name = /^systemd:\/*([^/:\s]+)$/.exec(text)?.[1]
  const right = name === undefined ? 'systemd://web, or systemd:// for all' : `systemd://${name}`
  return invalid(text, 'is not systemd:// with the name of a socket', `write ${right}`)
}

/** Refuses an object whose fields do not make an address. */
export function badFields(fields: Record<string, unknown>, use: AddressUse): MillraceError {
  const { host, port, path } = fields
  const isEmpty = [host, port, path].every((each) => each === undefined)
  const right = `write ${rightFields(fields, use)}`
  const unknown = Object.keys(fields).find((name) => !['host', 'port', 'path'].includes(name))
  if (unknown !== undefined) return invalid(fields, `has the unknown field ${unknown}`, right)
  if (isEmpty) return invalid(fields, 'has neither a port nor a path', allForms(use))
  if (path !== undefined) {
    const other = port !== undefined ? 'port' : 'host'
    if (port !== undefined || host !== undefined)
      return invalid(fields, `has both a path and a ${other}`, right)
    return invalid(fields, 'has a path that is not a string', right)
  }
  if (port === undefined) return invalid(fields, 'has no port', right)
  if (typeof port !== 'number') return invalid(fields, 'has a port that is not a number', right)
  if (!isPort(String(port), use)) return invalid(fields, `has the port ${port}`, portRange(use))
  if (typeof host !== 'string') return invalid(fields, 'has a host that is not a string', right)
  if (/[^\x21-\x7e]/.test(host))
    return invalid(
      fields,
      'has a host with a space, a control character or a non-ASCII letter',
      right,
    )
  if (host.startsWith('[')) return invalid(fields, 'has a host in brackets', right)
  if (host === '*')
    return invalid(
      fields,
      'has the host *, which nobody has',
      `write { port: ${port} } for all addresses`,
    )
  if (host.includes('%'))
    return invalid(fields, 'has a zone, which only an IPv6 address has', right)
  return invalid(fields, 'has more than a host in its field host', right)
}

/** Shows the object that the user most likely meant. */
function rightFields(fields: Record<string, unknown>, use: AddressUse): string {
  const { path, address, hostname } = fields
  const host = [fields.host, hostname, address].find((each) => typeof each === 'string')
  const wanted = ['string', 'number'].includes(typeof fields.port) ? String(fields.port) : ''
  const [readHost, portInHost] = partsOf(String(host ?? '')) ?? ['', undefined]
  const found = [wanted, portInHost ?? ''].find((each) => isPort(each, use))
  // The example has a host of its own if the user's host cannot be read.
  const isUnreadable = fields.host !== undefined && fields.host !== null && readHost === ''
  const known = isUnreadable ? '127.0.0.1' : readHost || undefined
  const hostPort = showValue({ host: known, port: Number(found ?? PORT) })
  if (use === 'bind' || path === undefined) return hostPort
  const text = typeof path === 'string' && path !== '' ? path : '/run/my.sock'
  const isPathOnly = fields.port === undefined && host === undefined
  const unix = showValue({ path: text })
  return isPathOnly ? unix : `${unix} or ${hostPort}`
}

function isPort(digits: string, use: AddressUse): boolean {
  const port = Number(digits)
  return /^\d+$/.test(digits) && port <= 65535 && port >= (use === 'connect' ? 1 : 0)
}

/** Advises to write the URL that the user most likely meant. */
function write(text: string, use: AddressUse, scheme: string = schemeFor(use)): string {
  const url = suggestion(text, use, scheme)
  const [, port] = partsOf(text) ?? []
  // If we have to make up the port, the URL is only an example.
  const isSure = isPort(port ?? text, use) || /^(?:unix|fd|systemd):/.test(url)
  return isSure ? `write ${url}` : `write a URL such as ${url}`
}

/** Returns the URL that the user most likely meant. */
function suggestion(text: string, use: AddressUse, scheme: string = schemeFor(use)): string {
  if (/^(?:unix|fd|systemd):/.test(text) || isPort(text, use)) return text
  if (use !== 'bind' && text.startsWith('/')) return `unix://${text}`
  const [host, port = ''] = partsOf(text) ?? ['127.0.0.1']
  return `${scheme}://${formatHostPort(host, isPort(port, use) ? Number(port) : PORT)}`
}

/** Finds the host and the port in a text that may be any kind of URL. `undefined` if they are unclear. */
function partsOf(text: string): [host: string, port: string | undefined] | undefined {
  const body = text
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/^(?:tcp|udp):/, '')
    .replace(/[/?#].*$/s, '')
    .replace(/^.*@/s, '')
  const parts = split(body)
  if (!parts || !/^[\x21-\x7e]*$/.test(parts[0])) return undefined
  const [host, port] = parts
  // What is not a host of its own is left out of the right form.
  return [host === '*' ? '' : hasWrongZone(host) ? withoutZone(host) : host, port]
}

/** Splits `host:port`, with or without brackets. `undefined` if the parts are unclear. */
function split(body: string): [host: string, port: string | undefined] | undefined {
  const bracketed = /^\[([^[\]]*)\]?(?::(.*))?$/s.exec(body)
  if (bracketed) return [bracketed[1] as string, bracketed[2]]
  const [, host = '', port = ''] = /^(.*):(.*)$/s.exec(body) ?? []
  const isPlain = !host.includes(':') && body.includes(':')
  if (isPlain || (isIPv6(host) && /^\d+$/.test(port))) return [host, port]
  return isIPv6(body) || !body.includes(':') ? [body, undefined] : undefined
}

/** Refuses an entry of `listen` that has both an `address` and other fields for one. */
export function doubleAddress(address: unknown, others: readonly string[]): MillraceError {
  const why = `a listener has both address (${showValue(address)}) and ${others.join(' and ')}`
  return new MillraceError('ERR_INVALID_ADDRESS', `${why}: write ${ENTRY_ADDRESSES}`)
}

/** Refuses an entry of `listen` that has no address. */
export function missingAddress(names: readonly string[]): MillraceError {
  const fields = names.length === 0 ? '' : ` (it has ${names.join(', ')})`
  const why = `a listener does not say where to listen${fields}`
  return new MillraceError('ERR_INVALID_ADDRESS', `${why}: write ${ENTRY_ADDRESSES}`)
}

const ENTRY_ADDRESSES = `one of port: ${PORT} (with or without host), path: "/run/my.sock" and address: "tcp://127.0.0.1:${PORT}"`
