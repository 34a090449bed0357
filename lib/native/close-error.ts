/** The error that a connection or datagram socket ends with. */

import { MillraceError } from '../errors.js'
import {
  REASON_FRAME_INCOMPLETE,
  REASON_FRAME_INVALID,
  REASON_FRAME_TOO_LARGE,
  REASON_LINGER_TIMEOUT,
  REASON_SYSTEM,
} from './record.js'
import { systemError } from './system-error.js'

/**
 * Makes the error for a record's reason; undefined if the connection ended in good order, or was
 * destroyed by us.
 *
 * @param max the longest frame that the framing allows
 */
export function closeError(reason: number, errno: number, max?: number): MillraceError | undefined {
  switch (reason) {
    case REASON_SYSTEM:
      return systemError(errno, 'socket')
    case REASON_FRAME_TOO_LARGE:
      return new MillraceError('ERR_FRAME_TOO_LARGE', `a received frame is over max (${max})`)
    case REASON_FRAME_INVALID:
      return new MillraceError('ERR_FRAME_INVALID', 'a received frame has an impossible header')
    case REASON_FRAME_INCOMPLETE:
      return new MillraceError('ERR_FRAME_INCOMPLETE', 'the stream ended in the middle of a frame')
    case REASON_LINGER_TIMEOUT:
      return new MillraceError(
        'ERR_LINGER_TIMEOUT',
        'the peer did not take the rest of the output, or did not end, within lingerTimeout',
      )
    default:
      return undefined
  }
}

/** Returns whether a connection has closed because its stream could not be cut into frames. */
export function isFramesFault(reason: number): boolean {
  return (
    reason === REASON_FRAME_TOO_LARGE ||
    reason === REASON_FRAME_INVALID ||
    reason === REASON_FRAME_INCOMPLETE
  )
}

/** Makes the error of a call on a connection that is closed. */
export function connClosed(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the connection is closed')
}
