/** Remembers which settings of connections the native half knows already, so that each is told once. */

import type { Framing } from '../codec/framing.js'
import { isFrozenFraming, toNative } from '../codec/native-framing.js'
import { type ConnSettings, toProfileInit } from '../connection/conn-options.js'
import { createProfile, dropProfiles } from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'

/** The most profiles that are kept. Then all are forgotten, and told again as they are needed. */
const MOST = 256
/** The numbers of profiles, by their contents. */
const numbers = new Map<string, number>()
/** Numbers for framings that cannot change. */
const framings = new WeakMap<Framing, number>()
let nextFraming = 0

function nameOf(framing: Framing): string {
  if (!isFrozenFraming(framing)) return JSON.stringify(toNative(framing))
  let number = framings.get(framing)
  if (number === undefined) {
    number = nextFraming++
    framings.set(framing, number)
  }
  return `${number}`
}

/** Returns the number of the profile with these settings, for a `connect` that follows at once. */
export function profileNumber(settings: ConnSettings): number {
  const { highWaterMark, autoPause, allowHalfOpen, lingerTimeout, socket } = settings
  const marks = `${highWaterMark} ${autoPause} ${allowHalfOpen} ${lingerTimeout} ${socket}`
  const key = `${nameOf(settings.codec.framing)} ${marks}`
  let number = numbers.get(key)
  if (number === undefined) {
    const { handle } = theEnvironment()
    if (numbers.size === MOST) {
      numbers.clear()
      dropProfiles(handle)
    }
    number = createProfile(handle, toProfileInit(settings))
    numbers.set(key, number)
  }
  return number
}
