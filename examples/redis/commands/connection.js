// @ts-check
/** What concerns the connection that asks. */

import { subcommands, wrongArity } from '../command.js'
import { integer } from '../integer.js'
import { OK, PONG, ReplyError, text } from '../reply.js'
import { VERSION } from '../version.js'

/** @import { Command } from '../command.js' */
/** @import { Bytes, Reply } from '../reply.js' */
/** @import { Session } from '../session.js' */

/** @type {Record<string, Command>} */
export const connection = {
  ping: {
    arity: -1,
    run(request) {
      if (request.length > 2) throw wrongArity('ping')
      return request[1] ?? PONG
    },
  },
  echo: { arity: 2, run: (request) => /** @type {Bytes} */ (request[1]) },

  select: {
    arity: 2,
    run(request, session) {
      const store = session.instance.stores[Number(integer(request[1]))]
      if (store === undefined) throw new ReplyError('ERR DB index is out of range')
      session.store = store
      return OK
    },
  },

  quit: {
    arity: -1,
    run(_, session) {
      session.isEnding = true
      return OK
    },
  },

  client: {
    arity: -2,
    run: subcommands('client', {
      id: { arity: 2, run: (_, session) => session.id },
      getname: { arity: 2, run: (_, session) => session.name || null },
      setname: {
        arity: 3,
        run(request, session) {
          session.name = clientName(request[2])
          return OK
        },
      },
      // The client's library and its version: nobody asks for them.
      setinfo: { arity: 4, run: () => OK },
    }),
  },

  hello: {
    arity: -1,
    run(request, session) {
      if (request.length > 1) checkVersion(request[1])
      for (let at = 2; at < request.length; at += 2) {
        const option = text(request[at])
        if (option.toUpperCase() !== 'SETNAME' || at + 1 === request.length) {
          throw new ReplyError(`ERR Syntax error in HELLO option '${option}'`)
        }
        session.name = clientName(request[at + 1])
      }
      return describe(session)
    },
  },
}

/** @param {Bytes | undefined} name */
function clientName(name) {
  const chosen = text(name)
  if (/^[!-~]*$/.test(chosen)) return chosen
  throw new ReplyError('ERR Client names cannot contain spaces, newlines or special characters.')
}

/** @param {Bytes | undefined} version */
function checkVersion(version) {
  if (!/^-?\d{1,18}$/.test(text(version))) {
    throw new ReplyError('ERR Protocol version is not an integer or out of range')
  }
  if (text(version) !== '2') throw new ReplyError('NOPROTO unsupported protocol version')
}

/**
 * @param {Session} session
 * @returns {Reply}
 */
function describe({ id }) {
  const what = ['server', 'redis', 'version', VERSION, 'mode', 'standalone', 'role', 'master']
  return [...what, 'proto', 2, 'id', id, 'modules', []]
}
