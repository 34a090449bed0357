/** The option `bindToDevice`, which TCP and datagram sockets have. */

import { invalidOption, MillraceError } from '../errors.js'

/** The most bytes that the name of an interface can have. */
const MAX_DEVICE = 15

/**
 * Checks the name of an interface.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkDevice(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0') || name.length > MAX_DEVICE) {
    throw invalidOption('bindToDevice', 'the name of an interface', name)
  }
  if (process.platform !== 'linux') {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have bindToDevice`)
  }
  return name
}
