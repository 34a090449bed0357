/** What dialled connections are held to, as the native half keeps it: told once, and a number from then on. */

import { type Framing, isFixed, toNative } from '../codec/framing.js'
import { createProfile, dropProfiles } from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'
import { type ConnSettings, profileInit } from '../server/options.js'

/** As many as are kept; then all are forgotten, and told anew as they come. */
const MOST = 256
/** By what they say. */
const numbers = new Map<string, number>()
/** Of framings that cannot change. */
const framings = new WeakMap<Framing, number>()
let nextFraming = 0

function nameOf(framing: Framing): string {
  if (!isFixed(framing)) return JSON.stringify(toNative(framing))
  let number = framings.get(framing)
  if (number === undefined) {
    number = nextFraming++
    framings.set(framing, number)
  }
  return `${number}`
}

/** The number of such a profile, for a `connect` that follows at once. */
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
    number = createProfile(handle, profileInit(settings))
    numbers.set(key, number)
  }
  return number
}
