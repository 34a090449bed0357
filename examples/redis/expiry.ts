/** When a key expires: the options EX, PX, EXAT and PXAT. */

import { integer, MAX, MIN } from './integer.ts'
import { type Bytes, ReplyError } from './reply.ts'

/** How many milliseconds a unit has, and whether it counts from now or from 1970. */
const UNITS = {
  EX: { scale: 1000n, isRelative: true },
  PX: { scale: 1n, isRelative: true },
  EXAT: { scale: 1000n, isRelative: false },
  PXAT: { scale: 1n, isRelative: false },
}

export type Unit = keyof typeof UNITS

export function isUnit(word: string): word is Unit {
  return Object.hasOwn(UNITS, word)
}

/**
 * The time of expiry in milliseconds since 1970.
 *
 * @param command the command that the error names if the time is out of range
 * @param min the smallest value of `time` that is allowed
 */
export function expiryFrom(
  time: Bytes | undefined,
  unit: Unit,
  command: string,
  min: bigint = MIN,
): number {
  const { scale, isRelative } = UNITS[unit]
  const value = BigInt(integer(time))
  const expiry = value * scale + (isRelative ? BigInt(Date.now()) : 0n)
  if (value < min || value * scale < MIN || expiry > MAX) {
    throw new ReplyError(`ERR invalid expire time in '${command}' command`)
  }
  return Number(expiry)
}
