/** The option `localAddress`: an address of this machine to connect from. */

import { MillraceError } from '../errors.js'
import { scopeOf } from './interfaces.js'
import { parseIP } from './ip.js'

/** An address of this machine to connect from. */
export interface LocalAddress {
  /** An IP address without its zone. */
  readonly host: string
  /** 0 if the system chooses. */
  readonly port: number
  /** The interface index of a link-local address, 0 for none. */
  readonly scope: number
}

/**
 * Parses `localAddress`: `10.0.0.7`, `10.0.0.7:4000`, `fe80::1%eth0`, `[fe80::1%eth0]:4000`.
 *
 * @throws `ERR_INVALID_ADDRESS`
 */
export function localAddress(address: string): LocalAddress {
  const invalid = (why: string) =>
    new MillraceError('ERR_INVALID_ADDRESS', `localAddress ${JSON.stringify(address)} ${why}`)
  const parts = /^(?:\[([^\]]+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5})|(.+))$/.exec(address)
  const parsed = parseIP(parts?.[1] ?? parts?.[3] ?? parts?.[5] ?? '')
  const port = Number(parts?.[2] ?? parts?.[4] ?? 0)
  if (parsed === undefined)
    throw invalid(
      'is not an IP address of this machine: write one such as 10.0.0.7, 10.0.0.7:4000 or [fe80::1%eth0]:4000',
    )
  if (port > 65535) throw invalid('has a port over 65535')
  return { host: parsed.ip, port, scope: scopeOf(address, parsed.zone) }
}
