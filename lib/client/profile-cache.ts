/** Remembers the settings of connections that the native half knows, so that each is sent to it once. */

import type { Framing } from '../codec/framing.js'
import { isFrozenFraming, toNative } from '../codec/native-framing.js'
import { type ConnSettings, toProfileInit } from '../connection/check-conn.js'
import { createProfile, dropProfiles } from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'

/** The most profiles that are kept. Over it all are dropped, and created again when they are needed. */
const MAX_PROFILES = 256
/** The number of each profile, by its contents. */
const numbers = new Map<string, number>()
/** Numbers that stand for framings that cannot change. */
const framingNumbers = new WeakMap<Framing, number>()
let nextFramingNumber = 0

/** Returns a text that is the same for equal framings. */
function keyOf(framing: Framing): string {
  if (!isFrozenFraming(framing)) return JSON.stringify(toNative(framing))
  let number = framingNumbers.get(framing)
  if (number === undefined) {
    number = nextFramingNumber++
    framingNumbers.set(framing, number)
  }
  return `${number}`
}

/**
 * Returns the number of the profile with these settings. Use it at once: the next call may drop all
 * profiles.
 */
export function profileNumber(settings: ConnSettings): number {
  const { framing, ...others } = toProfileInit(settings)
  const key = `${keyOf(settings.codec.framing)} ${JSON.stringify(others)}`
  let number = numbers.get(key)
  if (number === undefined) {
    const { handle } = theEnvironment()
    if (numbers.size === MAX_PROFILES) {
      numbers.clear()
      dropProfiles(handle)
    }
    number = createProfile(handle, toProfileInit(settings))
    numbers.set(key, number)
  }
  return number
}
