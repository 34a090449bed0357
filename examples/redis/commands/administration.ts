/** Commands for the server as a whole. */

import { type Command, subcommands, syntaxError } from '../command-table.ts'
import { OK, text } from '../reply.ts'
import type { Request } from '../resp.ts'
import type { SharedState } from '../shared-state.ts'
import { VERSION } from '../version.ts'

/** Settings that clients ask for. */
const SETTINGS = { save: '', appendonly: 'no', databases: '16', maxmemory: '0', timeout: '0' }

export const administration: Record<string, Command> = {
  dbsize: { arity: 1, run: (_, { database }) => database.size },

  flushdb: {
    arity: -1,
    run(request, { database }) {
      checkFlush(request)
      database.clear()
      return OK
    },
  },
  flushall: {
    arity: -1,
    run(request, { shared }) {
      checkFlush(request)
      for (const database of shared.databases) database.clear()
      return OK
    },
  },

  config: {
    arity: -2,
    run: subcommands('config', {
      get: {
        arity: -3,
        run(request) {
          const patterns = request.slice(2).map((pattern) => globToRegExp(text(pattern)))
          const known = Object.entries(SETTINGS)
          return known.filter(([name]) => patterns.some((each) => each.test(name))).flat()
        },
      },
      set: { arity: -4, run: () => OK },
      resetstat: { arity: 2, run: () => OK },
    }),
  },

  info: {
    arity: -1,
    run(request, { shared }) {
      const wanted = request.slice(1).map((name) => text(name).toLowerCase())
      return describe(shared, wanted)
    },
  },
}

function checkFlush(request: Request): void {
  const isKnown = request.length < 2 || ['ASYNC', 'SYNC'].includes(text(request[1]).toUpperCase())
  if (!isKnown || request.length > 2) throw syntaxError()
}

/** A pattern with `*` and `?` as a regular expression. */
function globToRegExp(pattern: string): RegExp {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replace(/[*]+/g, '.*').replace(/[?]/g, '.')}$`, 'i')
}

type Facts = Record<string, string | number>

/** The sections of INFO that are wanted; all of them if none is named. */
function describe(shared: SharedState, wanted: string[]): string {
  const everything = ['all', 'default', 'everything']
  const isAll = wanted.length === 0 || everything.some((name) => wanted.includes(name))
  const sections: Record<string, Facts> = {
    Server: {
      redis_version: VERSION,
      redis_mode: 'standalone',
      process_id: process.pid,
      uptime_in_seconds: Math.floor((Date.now() - shared.startedAt) / 1000),
    },
    Clients: { connected_clients: shared.clients },
    Memory: { used_memory: process.memoryUsage.rss() },
    Persistence: { loading: 0 },
    Stats: { total_commands_processed: shared.commandsRun },
    Replication: { role: 'master', connected_slaves: 0 },
    Keyspace: keyspace(shared),
  }
  return Object.entries(sections)
    .filter(([name]) => isAll || wanted.includes(name.toLowerCase()))
    .map(([name, facts]) => `# ${name}\r\n${lines(facts)}`)
    .join('\r\n')
}

function lines(facts: Facts): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')
}

/** The databases that are not empty. */
function keyspace({ databases }: SharedState): Facts {
  const result: Facts = {}
  for (const [index, { size, expiring }] of databases.entries()) {
    if (size > 0) result[`db${index}`] = `keys=${size},expires=${expiring},avg_ttl=0`
  }
  return result
}
