/** Checks single options. Each function throws `ERR_INVALID_OPTION`. */

import { invalidOption, MillraceError } from '../errors.js'

/** The largest value of most options, because they reach the native half as 32-bit integers. */
export const INT = 0x7fffffff

/**
 * Checks that options have known names only.
 *
 * @param owner the end of the message, such as `' of a listener'`
 */
export function checkNames(options: unknown, names: ReadonlySet<string>, owner = ''): void {
  if (typeof options !== 'object' || options === null) {
    const [first] = names
    throw invalidOption('options', `an object such as { ${first} }`, options)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name)) {
      const known = [...names].join(', ')
      const near = nearest(name, names)
      const hint = near === undefined ? '' : ` (did you mean ${near}?)`
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        `there is no option ${name}${owner}${hint}: the options are ${known}`,
      )
    }
  }
}

/**
 * Finds the known name that was probably meant: it differs by its case, or by one letter that is missing, too
 * many or another one, or by two neighbours that changed places.
 */
function nearest(name: string, names: Iterable<string>): string | undefined {
  for (const known of names) {
    if (isNear(name.toLowerCase(), known.toLowerCase())) return known
  }
  return undefined
}

function isNear(one: string, other: string): boolean {
  let start = 0
  while (start < one.length && one[start] === other[start]) start++
  let [end, otherEnd] = [one.length, other.length]
  while (end > start && otherEnd > start && one[end - 1] === other[otherEnd - 1]) {
    end--
    otherEnd--
  }
  const [rest, otherRest] = [one.slice(start, end), other.slice(start, otherEnd)]
  if (rest.length <= 1 && otherRest.length <= 1) return true
  return rest.length === 2 && otherRest === `${rest[1]}${rest[0]}`
}

/** Checks a required whole number from `least` to `most`. */
export function requiredWhole(
  name: string,
  value: unknown,
  least: number,
  most: number = INT,
): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
    throw invalidOption(name, `a whole number from ${least} to ${most}`, value)
  }
  return value as number
}

/** Checks a whole number from `least` to `most`. Returns `defaultValue` if it is undefined. */
export function whole(
  name: string,
  value: unknown,
  defaultValue: number,
  least: number,
  most: number = INT,
): number {
  return value === undefined ? defaultValue : requiredWhole(name, value, least, most)
}

/** Checks a boolean. Returns `defaultValue` if it is undefined. */
export function flag(name: string, value: unknown, defaultValue: boolean): boolean {
  if (value === undefined) return defaultValue
  if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value)
  return value
}

/** Checks that a value is one of some words. Returns the first word if it is undefined. */
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
  return requiredWhole(name, value, least, 255)
}

/** Checks a required boolean. Returns 1 or 0, as system calls take it. */
export function onOff(on: unknown): number {
  if (on === undefined) throw invalidOption('on', 'true or false', on)
  return Number(flag('on', on, false))
}
