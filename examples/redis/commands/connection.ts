/** Commands for the connection that sends them. */

import { type Command, subcommands, wrongArity } from '../command-table.ts'
import { integer } from '../integer.ts'
import { type Bytes, OK, PONG, type Reply, ReplyError, text } from '../reply.ts'
import type { Session } from '../session.ts'
import { VERSION } from '../version.ts'

export const connection: Record<string, Command> = {
  ping: {
    arity: -1,
    run(request) {
      if (request.length > 2) throw wrongArity('ping')
      return request[1] ?? PONG
    },
  },
  echo: { arity: 2, run: (request) => request[1] as Bytes },

  select: {
    arity: 2,
    run(request, session) {
      const database = session.shared.databases[Number(integer(request[1]))]
      if (database === undefined) throw new ReplyError('ERR DB index is out of range')
      session.database = database
      return OK
    },
  },

  quit: {
    arity: -1,
    run(_, session) {
      session.hasQuit = true
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
      // The name and version of the client's library: accepted and not stored.
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

function clientName(name: Bytes | undefined): string {
  const chosen = text(name)
  if (/^[!-~]*$/.test(chosen)) return chosen
  throw new ReplyError('ERR Client names cannot contain spaces, newlines or special characters.')
}

function checkVersion(version: Bytes | undefined): void {
  if (!/^-?\d{1,18}$/.test(text(version))) {
    throw new ReplyError('ERR Protocol version is not an integer or out of range')
  }
  if (text(version) !== '2') throw new ReplyError('NOPROTO unsupported protocol version')
}

function describe({ id }: Session): Reply {
  const server = ['server', 'redis', 'version', VERSION, 'mode', 'standalone', 'role', 'master']
  return [...server, 'proto', 2, 'id', id, 'modules', []]
}
