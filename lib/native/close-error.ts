/** The error that a connection or datagram socket ends with. */

import { MillraceError } from '../errors.js'
import { withoutFrames } from '../util/frameless.js'
import {
  REASON_FIRST_MESSAGE_TIMEOUT,
  REASON_FRAME_INCOMPLETE,
  REASON_FRAME_INVALID,
  REASON_FRAME_TIMEOUT,
  REASON_FRAME_TOO_LARGE,
  REASON_IDLE_TIMEOUT,
  REASON_LINGER_TIMEOUT,
  REASON_MAX_LIFETIME,
  REASON_RECEIVE_TIMEOUT,
  REASON_SYSTEM,
  REASON_WRITE_TIMEOUT,
} from './record.js'
import { systemError } from './system-error.js'

/**
 * Makes the error for a record's reason; undefined if the connection ended in good order, or was
 * destroyed by us.
 *
 * @param max the longest frame that the framing allows
 */
export function closeError(reason: number, errno: number, max?: number): MillraceError | undefined {
  return withoutFrames(() => errorOf(reason, errno, max))
}

function errorOf(reason: number, errno: number, max?: number): MillraceError | undefined {
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
        'nothing moved for lingerTimeout while the connection closed: the peer read no more, or did not end',
      )
    case REASON_IDLE_TIMEOUT:
      return new MillraceError('ERR_IDLE_TIMEOUT', 'no byte moved for the time of timeouts.idle')
    case REASON_RECEIVE_TIMEOUT:
      return new MillraceError(
        'ERR_RECEIVE_TIMEOUT',
        'nothing was received for the time of timeouts.receive',
      )
    case REASON_FIRST_MESSAGE_TIMEOUT:
      return new MillraceError(
        'ERR_FIRST_MESSAGE_TIMEOUT',
        'no whole message arrived within the time of timeouts.firstMessage',
      )
    case REASON_FRAME_TIMEOUT:
      return new MillraceError(
        'ERR_FRAME_TIMEOUT',
        'a message was not complete within the time of timeouts.frame',
      )
    case REASON_WRITE_TIMEOUT:
      return new MillraceError(
        'ERR_WRITE_TIMEOUT',
        'the peer took none of the output for the time of timeouts.write',
      )
    case REASON_MAX_LIFETIME:
      return new MillraceError(
        'ERR_MAX_LIFETIME',
        'the connection was open for timeouts.maxLifetime',
      )
    default:
      return undefined
  }
}

/** Returns whether a connection has closed because its stream could not be cut into frames. */
export function isStreamBroken(reason: number): boolean {
  return (
    reason === REASON_FRAME_TOO_LARGE ||
    reason === REASON_FRAME_INVALID ||
    reason === REASON_FRAME_INCOMPLETE
  )
}

/** Makes the error of a connection whose event loop has panicked. */
export function loopPanicked(): MillraceError {
  return new MillraceError('ERR_LOOP_PANIC', 'the event loop of the connection has panicked')
}

/** Makes the error of a call that a connection refuses because it is piped or a stream. */
export function connPiped(): MillraceError {
  return new MillraceError(
    'ERR_PIPED',
    'the connection is piped to another one, or is used as a stream',
  )
}

/** Makes the error of a call that a connection refuses because it sends a file. */
export function connSendsFile(): MillraceError {
  return new MillraceError('ERR_PIPED', 'the connection sends a file')
}

/** Makes the error of a call on a connection that is closed. */
export function connClosed(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the connection is closed, or our half of it has ended')
}
