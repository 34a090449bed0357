/** Reads lengths in RESP: digits and CRLF. */

import type { Reader } from 'millrace'
import { ProtocolError } from './protocol-error.ts'

const CR = 13
const MINUS = 45
const ZERO = 48

/**
 * Reads a number and the CRLF after it; `undefined` if they are incomplete.
 *
 * @param problem the text of the `ProtocolError` if this is not a number, or the number is over `max`
 */
export function readLength(from: Reader, max: number, problem: string): number | undefined {
  let value = 0
  let digits = 0
  let sign = 1
  for (let left = from.remaining; left > 0; left--) {
    const byte = from.u8()
    if (byte === CR && digits > 0) {
      if (left === 1) return undefined
      from.skip(1)
      return sign * value
    }
    if (byte === MINUS && digits === 0 && sign === 1) {
      sign = -1
      continue
    }
    const digit = byte - ZERO
    const isLeadingZero = value === 0 && digits > 0
    value = value * 10 + digit
    const isDigit = digit >= 0 && digit <= 9
    if (!isDigit || isLeadingZero || value > max) throw new ProtocolError(problem)
    digits++
  }
  return undefined
}
