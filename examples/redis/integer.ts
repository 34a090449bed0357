/** 64-bit integers in text: as numbers where numbers are exact, as bigints beyond. */

import { type Bytes, ReplyError, text } from './reply.ts'

export const MIN: bigint = -(2n ** 63n)
export const MAX: bigint = 2n ** 63n - 1n

/** @throws ReplyError if the text is anything but a 64-bit integer in its shortest form */
export function integer(bytes: Bytes | undefined): number | bigint {
  const digits = text(bytes)
  const value = Number(digits)
  if (Number.isSafeInteger(value) && String(value) === digits) return value
  if (/^-?[1-9]\d{0,18}$/.test(digits)) {
    const exact = BigInt(digits)
    if (exact >= MIN && exact <= MAX) return exact
  }
  throw new ReplyError('ERR value is not an integer or out of range')
}

/** The sum; `undefined` if 64 bits cannot hold it. */
export function sum(one: number | bigint, other: number | bigint): number | bigint | undefined {
  if (typeof one === 'number' && typeof other === 'number') {
    const result = one + other
    if (Number.isSafeInteger(result)) return result
  }
  const result = BigInt(one) + BigInt(other)
  return result >= MIN && result <= MAX ? result : undefined
}
