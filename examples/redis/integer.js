// @ts-check
/** Integers of 64 bits as text: numbers where they are exact, bigints beyond. */

import { ReplyError, text } from './reply.js'

/** @import { Bytes } from './reply.js' */

export const MIN = -(2n ** 63n)
export const MAX = 2n ** 63n - 1n

/**
 * @param {Bytes | undefined} bytes
 * @throws {ReplyError} if it is anything else than a 64-bit integer in its shortest form
 */
export function integer(bytes) {
  const digits = text(bytes)
  const value = Number(digits)
  if (Number.isSafeInteger(value) && String(value) === digits) return value
  if (/^-?[1-9]\d{0,18}$/.test(digits)) {
    const exact = BigInt(digits)
    if (exact >= MIN && exact <= MAX) return exact
  }
  throw new ReplyError('ERR value is not an integer or out of range')
}

/**
 * @param {number | bigint} one
 * @param {number | bigint} other
 * @returns {number | bigint | undefined} `undefined` if 64 bits do not hold it
 */
export function sum(one, other) {
  if (typeof one === 'number' && typeof other === 'number') {
    const result = one + other
    if (Number.isSafeInteger(result)) return result
  }
  const result = BigInt(one) + BigInt(other)
  return result >= MIN && result <= MAX ? result : undefined
}
