// @ts-check
/** What concerns the server as a whole. */

import { subcommands, syntaxError } from '../command.js'
import { OK, text } from '../reply.js'
import { VERSION } from '../version.js'

/** @import { Command } from '../command.js' */
/** @import { Instance } from '../instance.js' */
/** @import { Request } from '../resp.js' */

/** Settings that clients look at. */
const SETTINGS = { save: '', appendonly: 'no', databases: '16', maxmemory: '0', timeout: '0' }

/** @type {Record<string, Command>} */
export const administration = {
  dbsize: { arity: 1, run: (_, { store }) => store.size },

  flushdb: {
    arity: -1,
    run(request, { store }) {
      checkFlush(request)
      store.clear()
      return OK
    },
  },
  flushall: {
    arity: -1,
    run(request, { instance }) {
      checkFlush(request)
      for (const store of instance.stores) store.clear()
      return OK
    },
  },

  config: {
    arity: -2,
    run: subcommands('config', {
      get: {
        arity: -3,
        run(request) {
          const patterns = request.slice(2).map((pattern) => globbed(text(pattern)))
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
    run(request, { instance }) {
      const wanted = request.slice(1).map((name) => text(name).toLowerCase())
      return describe(instance, wanted)
    },
  },
}

/** @param {Request} request */
function checkFlush(request) {
  const isKnown = request.length < 2 || ['ASYNC', 'SYNC'].includes(text(request[1]).toUpperCase())
  if (!isKnown || request.length > 2) throw syntaxError()
}

/**
 * A pattern of `*` and `?` as a regular expression.
 *
 * @param {string} pattern
 */
function globbed(pattern) {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replace(/[*]+/g, '.*').replace(/[?]/g, '.')}$`, 'i')
}

/**
 * @param {Instance} instance
 * @param {string[]} wanted sections; none for all
 */
function describe(instance, wanted) {
  const everything = ['all', 'default', 'everything']
  const isAll = wanted.length === 0 || everything.some((name) => wanted.includes(name))
  /** @type {Record<string, Record<string, string | number>>} */
  const sections = {
    Server: {
      redis_version: VERSION,
      redis_mode: 'standalone',
      process_id: process.pid,
      uptime_in_seconds: Math.floor((Date.now() - instance.startedAt) / 1000),
    },
    Clients: { connected_clients: instance.clients },
    Memory: { used_memory: process.memoryUsage.rss() },
    Persistence: { loading: 0 },
    Stats: { total_commands_processed: instance.commands },
    Replication: { role: 'master', connected_slaves: 0 },
    Keyspace: keyspace(instance),
  }
  return Object.entries(sections)
    .filter(([name]) => isAll || wanted.includes(name.toLowerCase()))
    .map(([name, facts]) => `# ${name}\r\n${lines(facts)}`)
    .join('\r\n')
}

/** @param {Record<string, string | number>} facts */
function lines(facts) {
  return Object.entries(facts)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')
}

/**
 * The databases that are not empty.
 *
 * @param {Instance} instance
 */
function keyspace({ stores }) {
  /** @type {Record<string, string>} */
  const result = {}
  for (const [index, { size, ending }] of stores.entries()) {
    if (size > 0) result[`db${index}`] = `keys=${size},expires=${ending},avg_ttl=0`
  }
  return result
}
