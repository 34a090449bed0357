/** Checks of single options; each throws `ERR_INVALID_OPTION`. */

import { invalidOption, MillraceError } from '../errors.js'

/** The largest number of most options, because they reach the native half as 32-bit integers. */
export const INT = 0x7fffffff

/**
 * Refuses options with an unknown name.
 *
 * @param whose ends the message, such as `' of a listener'`
 */
export function checkNames(options: unknown, names: ReadonlySet<string>, whose = ''): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'an object', options)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name))
      throw new MillraceError('ERR_INVALID_OPTION', `there is no option ${name}${whose}`)
  }
}

/** Checks a whole number from `least` to `most`; `fallback` if it is undefined. */
export function whole(
  name: string,
  value: unknown,
  fallback: number,
  least: number,
  most: number = INT,
): number {
  if (value === undefined) return fallback
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
    throw invalidOption(name, `a whole number from ${least} to ${most}`, value)
  }
  return value as number
}

/** Checks a boolean; `fallback` if it is undefined. */
export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value)
  return value
}

/** Checks one of some words; the first of them if it is undefined. */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  values: readonly [T, ...T[]],
): T {
  if (value === undefined) return values[0]
  if (!values.includes(value as T)) throw invalidOption(name, `one of ${values.join(', ')}`, value)
  return value as T
}

/** Checks a required whole number from `least` to 255. */
export function byte(name: string, value: unknown, least: number): number {
  if (value === undefined) throw invalidOption(name, `a whole number from ${least} to 255`, value)
  return whole(name, value, 0, least, 255)
}

/** Checks a required boolean; 1 or 0, as system calls take it. */
export function onOff(on: unknown): number {
  if (on === undefined) throw invalidOption('on', 'true or false', on)
  return Number(flag('on', on, false))
}
