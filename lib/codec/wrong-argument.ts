/**
 * The errors for arguments of readers and writers that are of the wrong type or out of range. They are mistakes in
 * code, and have the classes that JavaScript has for them.
 */

import { shown } from '../errors.js'

/** Makes the error for an argument of the wrong type. `expected` is what the method takes, such as `'a string'`. */
export function wrongType(method: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${method} takes ${expected}, not ${shown(value)}`)
}

/**
 * Makes the error for a value that a method such as `u8` or `i64le` cannot write.
 *
 * The range is in the name, so that the methods, which are inlined where `encode` calls them, stay short.
 */
export function wrongInteger(method: string, value: unknown): TypeError | RangeError {
  const bits = Number.parseInt(method.slice(1), 10)
  const isSigned = method.startsWith('i')
  const count = 1n << BigInt(bits)
  const least = isSigned ? -count / 2n : 0n
  const type = bits === 64 ? 'bigint' : 'number'
  const range = `a ${bits === 64 ? 'bigint' : 'whole number'} from ${least} to ${least + count - 1n}`
  return wrongNumber(method, range, value, type)
}

/** Makes the error for a number that is a wrong one, which is a `RangeError`, or for another value. */
export function wrongNumber(
  method: string,
  expected: string,
  value: unknown,
  type: 'number' | 'bigint' = 'number',
): TypeError | RangeError {
  const error = wrongType(method, expected, value)
  return typeof value === type ? new RangeError(error.message) : error
}
