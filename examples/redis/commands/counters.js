// @ts-check
/** Values that are integers of 64 bits. */

import { integer, MIN, sum } from '../integer.js'
import { ReplyError, text } from '../reply.js'

/** @import { Command } from '../command.js' */
/** @import { Bytes } from '../reply.js' */
/** @import { Store } from '../store.js' */

/** @type {Record<string, Command>} */
export const counters = {
  incr: { arity: 2, run: (request, { store }) => add(store, request[1], 1) },
  decr: { arity: 2, run: (request, { store }) => add(store, request[1], -1) },
  incrby: {
    arity: 3,
    run: (request, { store }) => add(store, request[1], integer(request[2])),
  },
  decrby: {
    arity: 3,
    run(request, { store }) {
      const amount = integer(request[2])
      if (amount === MIN) throw new ReplyError('ERR decrement would overflow')
      return add(store, request[1], -amount)
    },
  },
}

/**
 * @param {Store} store
 * @param {Bytes | undefined} name
 * @param {number | bigint} amount
 */
function add(store, name, amount) {
  const key = text(name)
  const value = sum(integer(store.get(key) ?? '0'), amount)
  if (value === undefined) throw new ReplyError('ERR increment or decrement would overflow')
  store.replace(key, String(value))
  return value
}
