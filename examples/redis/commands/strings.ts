/** Commands that read and write whole values. */

import { type Command, wrongArity } from '../command-table.ts'
import { type Bytes, OK, ReplyError, text } from '../reply.ts'
import { MAX_ARGUMENT, MAX_TEXT } from '../resp.ts'
import { setOptions } from '../set-options.ts'

export const strings: Record<string, Command> = {
  get: {
    arity: 2,
    run: (request, { database }) => database.get(text(request[1])) ?? null,
  },

  set: {
    arity: -3,
    run(request, { database }) {
      const key = text(request[1])
      const value = request[2] as Bytes
      if (request.length === 3) {
        database.set(key, value)
        return OK
      }
      const { onlyNew, onlyExisting, keepExpiry, returnOld, expiry } = setOptions(request)
      const old = database.get(key)
      const isRefused = old === undefined ? onlyExisting : onlyNew
      if (!isRefused) {
        if (keepExpiry) database.replace(key, value)
        else database.set(key, value, expiry)
      }
      if (returnOld) return old ?? null
      return isRefused ? null : OK
    },
  },

  mget: {
    arity: -2,
    run: (request, { database }) => request.slice(1).map((key) => database.get(text(key)) ?? null),
  },

  mset: {
    arity: -3,
    run(request, { database }) {
      if (request.length % 2 === 0) throw wrongArity('mset')
      for (let at = 1; at < request.length; at += 2) {
        database.set(text(request[at]), request[at + 1] as Bytes)
      }
      return OK
    },
  },

  append: {
    arity: 3,
    run(request, { database }) {
      const key = text(request[1])
      const value = joined(database.get(key) ?? '', request[2] as Bytes)
      database.replace(key, value)
      return value.length
    },
  },

  strlen: {
    arity: 2,
    run: (request, { database }) => database.get(text(request[1]))?.length ?? 0,
  },
}

function joined(head: Bytes, tail: Bytes): Bytes {
  const length = head.length + tail.length
  if (length > MAX_ARGUMENT) {
    throw new ReplyError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  }
  if (typeof head === 'string' && typeof tail === 'string' && length <= MAX_TEXT) return head + tail
  return Buffer.concat([toBuffer(head), toBuffer(tail)])
}

function toBuffer(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
}
