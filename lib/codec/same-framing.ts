/** Compares framings. */

import type { Framing } from './framing.js'

/** Returns whether two framings cut a stream in the same way. */
export function isSameFraming(one: Framing, other: Framing): boolean {
  return one === other || JSON.stringify(plain(one)) === JSON.stringify(plain(other))
}

/** Returns the values of a framing, without the functions of a codec that it may have. */
function plain(framing: Framing): unknown {
  const { kind, ...rest } = framing
  const numbers = Object.entries(rest).filter(
    ([, value]) => value !== undefined && typeof value !== 'function' && typeof value !== 'object',
  )
  const bytes = 'bytes' in framing && typeof framing.bytes === 'object' ? [...framing.bytes] : []
  return [kind, numbers.sort(), bytes]
}
