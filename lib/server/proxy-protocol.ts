/** The option `proxyProtocol`: whose connections begin with a PROXY header. */

import { isIPv4 } from 'node:net'
import { parseIP } from '../address/ip.js'
import { bytesOfIPv4, bytesOfIPv6 } from '../address/ipv6.js'
import { invalidOption, MillraceError, shown } from '../errors.js'
import type { NetworkInit, ProxyInit } from '../native/binding.js'
import { checkNames, whole } from '../util/checks.js'

/**
 * Whose connections begin with a PROXY header of version 1 or 2, as HAProxy, nginx and the load balancers of clouds send
 * it. The header says who the client is, and `conn.remote` is that client.
 *
 * @example
 * ```ts
 * const behindProxies: ProxyProtocolOptions = { trust: ['10.0.0.0/8', '::1', 'unix'], timeout: 2_000 }
 * await serve({ listen: 9000, proxyProtocol: behindProxies })
 * ```
 */
export interface ProxyProtocolOptions {
  /**
   * Who is trusted, and has to send a header: IP addresses (`'127.0.0.1'`, `'::1'`), networks (`'10.0.0.0/8'`,
   * `'fd00::/8'`), and `'unix'` for everybody who may connect to a Unix socket. At least one. Networks of IPv4
   * match peers over IPv4 only, on sockets of both kinds.
   *
   * From all others, no header is expected: what they send is data.
   */
  trust: readonly string[]
  /** Milliseconds that a header may take from the moment when the connection is accepted, 1 or more. Default 5,000. */
  timeout?: number | undefined
}

const NAMES: ReadonlySet<string> = new Set(['trust', 'timeout'])

/** What stands for everybody who may connect to a Unix socket. */
const UNIX = 'unix'

/**
 * Checks the option `proxyProtocol`, and converts it to the form that the native half takes.
 *
 * @returns undefined if no connection begins with a header
 * @throws `ERR_INVALID_OPTION`
 */
export function checkProxyProtocol(options: unknown): ProxyInit | undefined {
  if (options === undefined || options === false) return undefined
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidOption(
      'proxyProtocol',
      "false, or an object such as { trust: ['10.0.0.0/8'] }",
      options,
    )
  checkNames(options, NAMES, ' of proxyProtocol')
  const { trust, timeout } = options as { trust?: unknown; timeout?: unknown }
  if (!Array.isArray(trust) || trust.length === 0) {
    const expected =
      "an array of at least one IP address, network or 'unix', such as ['10.0.0.0/8']"
    throw invalidOption('proxyProtocol.trust', expected, trust)
  }
  // Unlike `map`, `Array.from` does not skip holes.
  const trusted = Array.from(trust as unknown[])
  return {
    trusted: trusted.filter((each) => each !== UNIX).map(checkNetwork),
    trustsUnix: trusted.includes(UNIX),
    timeoutMs: whole('proxyProtocol.timeout', timeout, 5_000, 1),
  }
}

/** Checks an address or a network. */
function checkNetwork(text: unknown): NetworkInit {
  const invalid = (why: string) =>
    new MillraceError(
      'ERR_INVALID_OPTION',
      `proxyProtocol.trust has ${shown(text)}, ${why}: write an address such as '127.0.0.1', a network such as '10.0.0.0/8' or 'fd00::/8', or 'unix'`,
    )
  const [, host = '', digits] =
    /^([^/]*)(?:\/(\d{1,3}))?$/.exec(typeof text === 'string' ? text : '') ?? []
  if (parseIP(host)?.zone !== '')
    throw invalid('which is not an IP address without a zone, nor a network')
  const bytes = isIPv4(host) ? bytesOfIPv4(host) : bytesOfIPv6(host)
  const bits = bytes.length * 8
  const prefix = digits === undefined ? bits : Number(digits)
  if (prefix > bits) throw invalid(`whose prefix is longer than ${bits} bits`)
  const hasMore = bytes.some((byte, at) => {
    const own = Math.min(Math.max(prefix - 8 * at, 0), 8)
    return (byte & (0xff >> own)) !== 0
  })
  // Most likely another prefix was meant, or the address alone.
  if (hasMore) throw invalid(`which has bits behind its prefix of ${prefix}`)
  return { ip: host, prefix }
}
