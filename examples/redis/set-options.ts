/** The options of SET: what may follow the key and the value. */

import { syntaxError } from './command-table.ts'
import { expiryFrom, isUnit, type Unit } from './expiry.ts'
import { text } from './reply.ts'
import type { Request } from './resp.ts'

export interface SetOptions {
  /** NX: only if the key does not exist. */
  onlyNew: boolean
  /** XX: only if the key exists. */
  onlyExisting: boolean
  /** KEEPTTL: leave the expiry as it is. */
  keepExpiry: boolean
  /** GET: reply with the old value. */
  returnOld: boolean
  /** From EX, PX, EXAT or PXAT. */
  expiry: number | undefined
}

export function setOptions(request: Request): SetOptions {
  const words = new Set<string>()
  let unit: Unit | undefined
  let time = 0
  for (let at = 3; at < request.length; at++) {
    const word = text(request[at]).toUpperCase()
    if (isUnit(word)) {
      const isSecond = unit !== undefined && unit !== word
      if (isSecond || at + 1 === request.length) throw syntaxError()
      unit = word
      time = ++at
    } else if (word === 'NX' || word === 'XX' || word === 'KEEPTTL' || word === 'GET') {
      words.add(word)
    } else {
      throw syntaxError()
    }
  }
  const onlyNew = words.has('NX')
  const onlyExisting = words.has('XX')
  const keepExpiry = words.has('KEEPTTL')
  if ((onlyNew && onlyExisting) || (keepExpiry && unit !== undefined)) throw syntaxError()
  const expiry = unit && expiryFrom(request[time], unit, 'set', 1n)
  return { onlyNew, onlyExisting, keepExpiry, returnOld: words.has('GET'), expiry }
}
