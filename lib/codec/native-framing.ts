/** Checks framings, and converts them to the form that the loops take. */

import { MillraceError } from '../errors.js'
import { checkFraming, type FramingInit } from '../native/binding.js'
import { requiredWhole } from '../util/checks.js'
import type { Framing } from './framing.js'

/** Framings that were checked and frozen, so that they cannot have changed since. */
const frozen = new WeakSet<Framing>()

/** What `toNative` has returned for frozen framings. */
const nativeForms = new WeakMap<Framing, FramingInit>()

/**
 * Checks a framing, which the user may have written by hand.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function validateFraming(framing: Framing): void {
  if (frozen.has(framing)) return
  if (framing.kind === 'fixed') requiredWhole('size', framing.size, 1)
  else requiredWhole('max', framing.max, 1)
  let problem: string | null
  try {
    problem = checkFraming(toNative(framing))
  } catch (thrown) {
    problem = (thrown as Error).message
  }
  if (problem !== null) throw new MillraceError('ERR_INVALID_OPTION', problem)
}

/**
 * Checks and freezes a framing, so that it need not be checked again.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function freezeFraming<F extends Framing>(framing: F): F {
  validateFraming(framing)
  frozen.add(framing)
  return Object.freeze(framing)
}

/** Returns whether a framing was checked and frozen, so that it cannot change. */
export function isFrozenFraming(framing: Framing): boolean {
  return frozen.has(framing)
}

/** Copies of framings that cannot change but for the bytes of a delimiter, so that connections share them. */
const copies = new WeakMap<Framing, Framing>()

/**
 * Checks a framing, and returns a copy that its user cannot change; the framing itself if nobody can.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function ownFraming(framing: Framing): Framing {
  if (frozen.has(framing) && framing.kind !== 'delimiter') return framing
  const known = copies.get(framing)
  if (known !== undefined) return known
  const copy = freezeFraming(copyOf(framing))
  if (Object.isFrozen(framing)) copies.set(framing, copy)
  copies.set(copy, copy)
  return copy
}

/** Copies what belongs to a framing of its kind. */
function copyOf(framing: Framing): Framing {
  const { kind } = framing
  switch (kind) {
    case 'delimiter': {
      const { bytes, max } = framing
      return { kind, bytes: bytes instanceof Uint8Array ? Uint8Array.from(bytes) : bytes, max }
    }
    case 'lengthField': {
      const { bytes, offset, adjust, strip, endian, max } = framing
      return { kind, bytes, offset, adjust, strip, endian, max }
    }
    case 'varint': {
      const { offset, strip, max } = framing
      return { kind, offset, strip, max }
    }
    case 'fixed':
      return { kind, size: framing.size }
    default:
      return { kind, max: framing.max }
  }
}

/** Converts a framing to the form that the loops take. */
export function toNative(framing: Framing): FramingInit {
  const known = nativeForms.get(framing)
  if (known !== undefined) return known
  const made = makeNative(framing)
  if (frozen.has(framing)) nativeForms.set(framing, made)
  return made
}

function makeNative(framing: Framing): FramingInit {
  switch (framing.kind) {
    case 'delimiter':
      return { kind: framing.kind, max: framing.max, delimiter: framing.bytes }
    case 'lengthField': {
      const { kind, bytes, offset, adjust, strip, endian, max } = framing
      return { kind, bytes, offset, adjust, strip, little: endian === 'little', max }
    }
    case 'varint': {
      const { kind, offset = 0, strip, max } = framing
      return { kind, offset, ...(strip === undefined ? {} : { strip }), max }
    }
    default:
      return { ...framing, kind: framing.kind }
  }
}
