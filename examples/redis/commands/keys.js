// @ts-check
/** Keys: whether they are there, and for how long. */

import { deadlineOf } from '../deadline.js'
import { ReplyError, text } from '../reply.js'

/** @import { Command } from '../command.js' */
/** @import { Unit } from '../deadline.js' */
/** @import { Request } from '../resp.js' */
/** @import { Session } from '../session.js' */

/** @type {Record<string, Command>} */
export const keys = {
  del: {
    arity: -2,
    run: (request, { store }) => count(request, (key) => store.delete(key)),
  },
  exists: {
    arity: -2,
    run: (request, { store }) => count(request, (key) => store.has(key)),
  },

  expire: {
    arity: -3,
    run: (request, session) => expire(request, session, 'EX'),
  },
  pexpire: {
    arity: -3,
    run: (request, session) => expire(request, session, 'PX'),
  },
  ttl: {
    arity: 2,
    run(request, session) {
      const left = timeLeft(request, session)
      return left < 0 ? left : Math.round(left / 1000)
    },
  },
  pttl: { arity: 2, run: timeLeft },
  persist: {
    arity: 2,
    run(request, { store }) {
      const key = text(request[1])
      if (!store.has(key) || store.deadline(key) === undefined) return 0
      store.endAt(key, undefined)
      return 1
    },
  },
}

/**
 * @param {Request} request
 * @param {(key: string) => boolean} test
 */
function count(request, test) {
  let result = 0
  for (let at = 1; at < request.length; at++) if (test(text(request[at]))) result++
  return result
}

/**
 * Milliseconds; -1 if the key does not end, -2 if it is not there.
 *
 * @param {Request} request
 * @param {Session} session
 */
function timeLeft(request, { store }) {
  const key = text(request[1])
  if (!store.has(key)) return -2
  const deadline = store.deadline(key)
  return deadline === undefined ? -1 : Math.max(0, deadline - Date.now())
}

/**
 * @param {Request} request
 * @param {Session} session
 * @param {Unit} unit
 */
function expire(request, { store }, unit) {
  const key = text(request[1])
  const isWanted = condition(request)
  const deadline = deadlineOf(request[2], unit, text(request[0]).toLowerCase())
  if (!store.has(key) || !isWanted(deadline, store.deadline(key))) return 0
  if (deadline <= Date.now()) store.delete(key)
  else store.endAt(key, deadline)
  return 1
}

/**
 * What NX, XX, GT and LT ask for. Whatever does not end ends later than all that does.
 *
 * @param {Request} request
 * @returns {(next: number, now: number | undefined) => boolean}
 */
function condition(request) {
  const words = request.slice(3).map((word) => text(word))
  const flags = new Set(words.map((word) => word.toUpperCase()))
  const unknown = words.find((word) => !['NX', 'XX', 'GT', 'LT'].includes(word.toUpperCase()))
  if (unknown !== undefined) throw new ReplyError(`ERR Unsupported option ${unknown}`)
  if (flags.has('NX') && flags.size > 1) {
    throw new ReplyError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (flags.has('GT') && flags.has('LT')) {
    throw new ReplyError('ERR GT and LT options at the same time are not compatible')
  }
  return (next, now = Number.POSITIVE_INFINITY) => {
    const isEnding = now !== Number.POSITIVE_INFINITY
    if (flags.has('NX') && isEnding) return false
    if (flags.has('XX') && !isEnding) return false
    if (flags.has('GT') && next <= now) return false
    return !(flags.has('LT') && next >= now)
  }
}
