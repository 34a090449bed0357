// @ts-check
/** What may stand behind key and value of SET. */

import { syntaxError } from './command.js'
import { deadlineOf, isUnit } from './deadline.js'
import { text } from './reply.js'

/** @import { Request } from './resp.js' */
/** @import { Unit } from './deadline.js' */

/**
 * @typedef {object} SetOptions
 * @property {boolean} onlyNew NX: not if the key is there
 * @property {boolean} onlyOld XX: only if the key is there
 * @property {boolean} keepsDeadline KEEPTTL
 * @property {boolean} wantsOld GET: reply with the value before
 * @property {number | undefined} deadline from EX, PX, EXAT or PXAT
 */

/**
 * @param {Request} request
 * @returns {SetOptions}
 */
export function setOptions(request) {
  const words = new Set()
  /** @type {Unit | undefined} */
  let unit
  let time = 0
  for (let at = 3; at < request.length; at++) {
    const word = text(request[at]).toUpperCase()
    if (isUnit(word)) {
      const isOther = unit !== undefined && unit !== word
      if (isOther || at + 1 === request.length) throw syntaxError()
      unit = word
      time = ++at
    } else if (word === 'NX' || word === 'XX' || word === 'KEEPTTL' || word === 'GET') {
      words.add(word)
    } else {
      throw syntaxError()
    }
  }
  const [onlyNew, onlyOld, keepsDeadline] = [words.has('NX'), words.has('XX'), words.has('KEEPTTL')]
  if ((onlyNew && onlyOld) || (keepsDeadline && unit !== undefined)) throw syntaxError()
  const deadline = unit && deadlineOf(request[time], unit, 'set', 1n)
  return { onlyNew, onlyOld, keepsDeadline, wantsOld: words.has('GET'), deadline }
}
