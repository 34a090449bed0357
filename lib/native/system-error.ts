/** Errors of the native half and of the operating system, as `MillraceError`s. */

import { MillraceError } from '../errors.js'
import { errorName } from './binding.js'

/** Our codes and the names of system errors. Node-API itself has others, such as `GenericFailure`. */
const CODE = /^(ERR_[A-Z_]+|E[A-Z0-9]+|UNKNOWN)$/

/** Converts what a native call threw. The code is `ERR_INTERNAL` if the call gave none. */
export function nativeError(cause: unknown): MillraceError {
  const { code = '', message } = cause as NodeJS.ErrnoException
  return new MillraceError(CODE.test(code) ? code : 'ERR_INTERNAL', message, { cause })
}

/** Makes the error of a system call, with Node's names. */
export function systemError(
  errno: number,
  syscall: string,
  place: { address?: string; port?: number; count?: number } = {},
): MillraceError {
  const code = errorName(errno)
  const port = place.port === undefined ? '' : `:${place.port}`
  const where = place.address === undefined ? '' : ` ${place.address}${port}`
  return new MillraceError(code, `${syscall} ${code}${where}`, { errno: -errno, syscall, ...place })
}
