/** Checks of single options. */

import { invalidOption, MillraceError } from '../errors.js'

/** The largest of most numbers: they cross as 32-bit integers. */
export const INT = 0x7fffffff

/** Refuses options that there are not. */
export function checkNames(options: unknown, names: ReadonlySet<string>, whose = ''): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'an object', options)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name))
      throw new MillraceError('ERR_INVALID_OPTION', `there is no option ${name}${whose}`)
  }
}

/** A whole number, or what stands for none. */
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

export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value)
  return value
}

/** One of some words, the first of which stands for none. */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  values: readonly [T, ...T[]],
): T {
  if (value === undefined) return values[0]
  if (!values.includes(value as T)) throw invalidOption(name, `one of ${values.join(', ')}`, value)
  return value as T
}

/** A number that has to be said, up to what a byte holds. */
export function byte(name: string, value: unknown, least: number): number {
  if (value === undefined) throw invalidOption(name, `a whole number from ${least} to 255`, value)
  return whole(name, value, 0, least, 255)
}

/** A switch that has to be said, as the system takes it. */
export function onOff(on: unknown): number {
  if (on === undefined) throw invalidOption('on', 'true or false', on)
  return Number(flag('on', on, false))
}
