/** Commands for keys: whether they exist, and when they expire. */

import type { Command } from '../command-table.ts'
import { expiryFrom, type Unit } from '../expiry.ts'
import { ReplyError, text } from '../reply.ts'
import type { Request } from '../resp.ts'
import type { Session } from '../session.ts'

export const keys: Record<string, Command> = {
  del: {
    arity: -2,
    run: (request, { database }) => count(request, (key) => database.delete(key)),
  },
  exists: {
    arity: -2,
    run: (request, { database }) => count(request, (key) => database.has(key)),
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
    run(request, { database }) {
      const key = text(request[1])
      if (!database.has(key) || database.expiryOf(key) === undefined) return 0
      database.expireAt(key, undefined)
      return 1
    },
  },
}

function count(request: Request, test: (key: string) => boolean): number {
  let result = 0
  for (let at = 1; at < request.length; at++) if (test(text(request[at]))) result++
  return result
}

/** Milliseconds until the key expires; -1 if it does not expire, -2 if it does not exist. */
function timeLeft(request: Request, { database }: Session): number {
  const key = text(request[1])
  if (!database.has(key)) return -2
  const expiry = database.expiryOf(key)
  return expiry === undefined ? -1 : Math.max(0, expiry - Date.now())
}

function expire(request: Request, { database }: Session, unit: Unit): number {
  const key = text(request[1])
  const isAllowed = condition(request)
  const expiry = expiryFrom(request[2], unit, text(request[0]).toLowerCase())
  if (!database.has(key) || !isAllowed(expiry, database.expiryOf(key))) return 0
  if (expiry <= Date.now()) database.delete(key)
  else database.expireAt(key, expiry)
  return 1
}

/** Whether NX, XX, GT and LT allow to replace one expiry by another; `old` is undefined for never. */
type Condition = (next: number, old: number | undefined) => boolean

function condition(request: Request): Condition {
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
  // A key that never expires counts as one that expires after all others.
  return (next, old = Number.POSITIVE_INFINITY) => {
    const expires = old !== Number.POSITIVE_INFINITY
    if (flags.has('NX') && expires) return false
    if (flags.has('XX') && !expires) return false
    if (flags.has('GT') && next <= old) return false
    return !(flags.has('LT') && next >= old)
  }
}
