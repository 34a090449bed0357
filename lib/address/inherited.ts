/** Finds the sockets that this process inherited: the descriptors of `fd://` and `systemd://`. */

import { MillraceError } from '../errors.js'
import type { DescriptorAddress, SystemdAddress } from './parse-address.js'
import type { InheritedAddress } from './socket-address.js'

/** The first descriptor that systemd passes. */
const SYSTEMD_FIRST = 3

/**
 * Finds the descriptors of an inherited address.
 *
 * @throws `ERR_INVALID_ADDRESS` if systemd passed no such socket, `ERR_UNSUPPORTED` on Windows
 */
export function inherited(address: DescriptorAddress | SystemdAddress): InheritedAddress[] {
  if (process.platform === 'win32')
    throw new MillraceError('ERR_UNSUPPORTED', 'inherited sockets are not supported on Windows')
  const { text: asked } = address
  const descriptors = address.kind === 'fd' ? [address.descriptor] : fromSystemd(address)
  return descriptors.map((descriptor) => ({ kind: 'inherited', descriptor, asked }))
}

/** Finds the descriptors that systemd passed: all, or those with a name (sd_listen_fds(3)). */
function fromSystemd({ name, text }: SystemdAddress): number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env
  const invalid = (why: string) =>
    new MillraceError('ERR_INVALID_ADDRESS', `${JSON.stringify(text)} names no socket: ${why}`)
  const count = /^\d{1,5}$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0
  // A child process inherits the variables of its parent, but not the sockets.
  if (LISTEN_PID !== String(process.pid) || count === 0)
    throw invalid('systemd passed no sockets to this process')
  const names = LISTEN_FDNAMES?.split(':') ?? []
  const all = Array.from({ length: count }, (_, index) => SYSTEMD_FIRST + index)
  const found = name === '' ? all : all.filter((_, index) => names[index] === name)
  if (found.length === 0)
    throw invalid(`systemd passed ${names.join(', ') || 'sockets without names'}`)
  return found
}
