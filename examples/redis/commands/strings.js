// @ts-check
/** Values as a whole. */

import { wrongArity } from '../command.js'
import { OK, ReplyError, text } from '../reply.js'
import { MAX_BULK, MAX_TEXT } from '../resp.js'
import { setOptions } from '../set-options.js'

/** @import { Command } from '../command.js' */
/** @import { Bytes } from '../reply.js' */

/** @type {Record<string, Command>} */
export const strings = {
  get: {
    arity: 2,
    run: (request, { store }) => store.get(text(request[1])) ?? null,
  },

  set: {
    arity: -3,
    run(request, { store }) {
      const key = text(request[1])
      const value = /** @type {Bytes} */ (request[2])
      if (request.length === 3) {
        store.set(key, value)
        return OK
      }
      const { onlyNew, onlyOld, keepsDeadline, wantsOld, deadline } = setOptions(request)
      const old = store.get(key)
      const isRefused = old === undefined ? onlyOld : onlyNew
      if (!isRefused) {
        if (keepsDeadline) store.replace(key, value)
        else store.set(key, value, deadline)
      }
      if (wantsOld) return old ?? null
      return isRefused ? null : OK
    },
  },

  mget: {
    arity: -2,
    run: (request, { store }) => request.slice(1).map((key) => store.get(text(key)) ?? null),
  },

  mset: {
    arity: -3,
    run(request, { store }) {
      if (request.length % 2 === 0) throw wrongArity('mset')
      for (let at = 1; at < request.length; at += 2) {
        store.set(text(request[at]), /** @type {Bytes} */ (request[at + 1]))
      }
      return OK
    },
  },

  append: {
    arity: 3,
    run(request, { store }) {
      const key = text(request[1])
      const value = joined(store.get(key) ?? '', /** @type {Bytes} */ (request[2]))
      store.replace(key, value)
      return value.length
    },
  },

  strlen: {
    arity: 2,
    run: (request, { store }) => store.get(text(request[1]))?.length ?? 0,
  },
}

/**
 * @param {Bytes} head
 * @param {Bytes} tail
 * @returns {Bytes}
 */
function joined(head, tail) {
  const length = head.length + tail.length
  if (length > MAX_BULK) {
    throw new ReplyError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  }
  if (typeof head === 'string' && typeof tail === 'string' && length <= MAX_TEXT) return head + tail
  return Buffer.concat([buffer(head), buffer(tail)])
}

/** @param {Bytes} bytes */
function buffer(bytes) {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
}
