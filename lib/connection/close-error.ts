/** Why a connection ended, as an error. */

import { MillraceError } from '../errors.js'
import { errorName } from '../native/binding.js'
import {
  REASON_FRAME_INCOMPLETE,
  REASON_FRAME_INVALID,
  REASON_FRAME_TOO_LARGE,
  REASON_LINGER_TIMEOUT,
  REASON_SYSTEM,
} from '../native/record.js'

/** The error of a record's reason; none where it ended in good order, or was destroyed from here. */
export function closeError(reason: number, errno: number): MillraceError | undefined {
  switch (reason) {
    case REASON_SYSTEM:
      return systemError(errno, 'socket')
    case REASON_FRAME_TOO_LARGE:
      return new MillraceError('ERR_FRAME_TOO_LARGE', 'a frame is over max')
    case REASON_FRAME_INVALID:
      return new MillraceError('ERR_FRAME_INVALID', 'a header that no frame can have')
    case REASON_FRAME_INCOMPLETE:
      return new MillraceError('ERR_FRAME_INCOMPLETE', 'the stream ended in the middle of a frame')
    case REASON_LINGER_TIMEOUT:
      return new MillraceError(
        'ERR_LINGER_TIMEOUT',
        'the peer did not take the rest, or did not end, in time',
      )
    default:
      return undefined
  }
}

/** Codes of ours and names of system errors. Node-API itself has others, such as `GenericFailure`. */
const CODE = /^(ERR_[A-Z_]+|E[A-Z0-9]+|UNKNOWN)$/

/** What a native call threw, with the code that it gave it: `ERR_INTERNAL` where it gave none. */
export function nativeError(cause: unknown): MillraceError {
  const { code = '', message } = cause as NodeJS.ErrnoException
  return new MillraceError(CODE.test(code) ? code : 'ERR_INTERNAL', message, { cause })
}

/** A system call's error, with Node's names. */
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
