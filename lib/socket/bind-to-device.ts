/** Checks the option `bindToDevice` of TCP and datagram sockets. */

import { invalidOption, MillraceError } from '../errors.js'

/** The most bytes that the name of a network interface can have. */
const MAX_NAME_BYTES = 15

/**
 * Checks the name of a network interface.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkDevice(name: unknown): string {
  if (
    typeof name !== 'string' ||
    name === '' ||
    name.includes('\0') ||
    name.length > MAX_NAME_BYTES
  ) {
    throw invalidOption('bindToDevice', 'the name of a network interface, such as eth0', name)
  }
  if (process.platform !== 'linux') {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have bindToDevice`)
  }
  return name
}
