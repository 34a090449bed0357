// @ts-check
/** When a key ends, from what a command says. */

import { integer, MAX, MIN } from './integer.js'
import { ReplyError } from './reply.js'

/** @import { Bytes } from './reply.js' */

/** Milliseconds of a unit, and whether it counts from now on or from 1970. */
const UNITS = {
  EX: { scale: 1000n, isRelative: true },
  PX: { scale: 1n, isRelative: true },
  EXAT: { scale: 1000n, isRelative: false },
  PXAT: { scale: 1n, isRelative: false },
}

/** @typedef {keyof typeof UNITS} Unit */

/**
 * @param {string} word
 * @returns {word is Unit}
 */
export function isUnit(word) {
  return Object.hasOwn(UNITS, word)
}

/**
 * Milliseconds since 1970.
 *
 * @param {Bytes | undefined} time
 * @param {Unit} unit
 * @param {string} command who complains of a time that 64 bits do not hold
 * @param {bigint} [least] the least time that is none to complain of
 */
export function deadlineOf(time, unit, command, least = MIN) {
  const { scale, isRelative } = UNITS[unit]
  const value = BigInt(integer(time))
  const deadline = value * scale + (isRelative ? BigInt(Date.now()) : 0n)
  if (value < least || value * scale < MIN || deadline > MAX) {
    throw new ReplyError(`ERR invalid expire time in '${command}' command`)
  }
  return Number(deadline)
}
