/** Commands for values that are 64-bit integers. */

import type { Command } from '../command-table.ts'
import type { Database } from '../database.ts'
import { integer, MIN, sum } from '../integer.ts'
import { type Bytes, ReplyError, text } from '../reply.ts'

export const counters: Record<string, Command> = {
  incr: { arity: 2, run: (request, { database }) => add(database, request[1], 1) },
  decr: { arity: 2, run: (request, { database }) => add(database, request[1], -1) },
  incrby: {
    arity: 3,
    run: (request, { database }) => add(database, request[1], integer(request[2])),
  },
  decrby: {
    arity: 3,
    run(request, { database }) {
      const amount = integer(request[2])
      if (amount === MIN) throw new ReplyError('ERR decrement would overflow')
      return add(database, request[1], -amount)
    },
  },
}

function add(
  database: Database,
  name: Bytes | undefined,
  amount: number | bigint,
): number | bigint {
  const key = text(name)
  const value = sum(integer(database.get(key) ?? '0'), amount)
  if (value === undefined) throw new ReplyError('ERR increment or decrement would overflow')
  database.replace(key, String(value))
  return value
}
