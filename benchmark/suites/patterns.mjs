/** Memory after each of several rounds of a pattern that costs memory: whether it is flat. */

import { setTimeout as wait } from 'node:timers/promises'
import { Clients } from '../clients.mjs'
import { count, megabytes, plain } from '../format.mjs'
import { Server } from '../server.mjs'
import { nodePatterns, patternsInline, patterns as threaded } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const ROUNDS = 10
/** The rounds whose lowest readings are compared, to the last one: the first two are for what is made once. */
const EARLY = 3
const LATE = 7
/** Milliseconds that the clients or the server may take for a step of a round. */
const PATIENCE_MS = 20_000
/** Milliseconds between two looks. */
const LOOK_MS = 10
/** Kilobytes of growth that are noise. */
const NOISE_KB = 2048

const OURS = [threaded, patternsInline]

/**
 * Resolves with what a promise does, but not after `PATIENCE_MS`.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
function soon(promise, what) {
  const late = wait(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`${what}: not within ${PATIENCE_MS / 1e3} s`)
  })
  return Promise.race([promise, late])
}

/**
 * Waits until the server has counted as many connections.
 *
 * @param {Server} server
 * @param {'open' | 'ready'} name
 * @param {number} wanted
 */
async function counted(server, name, wanted) {
  const patience = performance.now() + PATIENCE_MS
  for (;;) {
    const counts = await server.ask('counts')
    if (counts[name] === wanted) return
    if (performance.now() > patience) {
      throw new Error(`${counts[name]} connections are ${name}, and not ${wanted}`)
    }
    await wait(LOOK_MS)
  }
}

/**
 * What the server holds without a connection.
 *
 * @param {Server} server
 */
async function reading(server) {
  const memory = await server.memory()
  const { peak_kb, descriptors } = server.footprint()
  return { ...memory, peak_kb, descriptors }
}

/**
 * All clients arrive, follow the pattern and leave.
 *
 * @param {Server} server
 * @param {Clients} clients
 * @param {number} ready how many connections have got as far as the pattern goes by then, in all rounds
 */
async function round(server, clients, ready) {
  await soon(clients.arrive(), 'the clients arrive')
  await counted(server, 'ready', ready)
  await server.ask('finish')
  await soon(clients.leave(), 'the clients leave')
  await counted(server, 'open', 0)
}

/**
 * @param {string} name
 * @param {number} connections
 * @param {string} title
 * @returns {Scenario}
 */
function pattern(name, connections, title) {
  return {
    name,
    title: `${ROUNDS} rounds of ${connections} connections ${title}`,
    variants: [...OURS, nodePatterns],
    columns: [
      { title: 'RSS MB before', value: 'before_kb', format: megabytes },
      ...[1, 2, 5, ROUNDS].map((after) => ({
        title: `round ${after}`,
        value: `round_${after}_kb`,
        format: megabytes,
      })),
      { title: 'peak', value: 'peak_kb', format: megabytes, highest: true },
      {
        title: `growth kB, rounds ${EARLY}–${LATE - 1} to ${LATE}–${ROUNDS}`,
        value: 'growth_kb',
        format: plain,
      },
      { title: 'JS heap', value: 'heap_growth_kb', format: plain },
      { title: 'external', value: 'external_growth_kb', format: plain },
      { title: 'array buffers', value: 'buffers_growth_kb', format: plain },
      { title: 'descriptors', value: 'descriptors_growth', format: count, highest: true },
    ],
    targets: OURS.flatMap((variant) => [
      {
        text: `${variant.name}: grows by at most ${NOISE_KB} kB`,
        variant: variant.name,
        value: 'growth_kb',
        most: NOISE_KB,
      },
      {
        text: `${variant.name}: as many descriptors as before`,
        variant: variant.name,
        value: 'descriptors_growth',
        most: 0,
        highest: true,
      },
    ]),
    async measure(variant) {
      const server = await Server.start(variant, ['--pattern', name], NODE_ARGS)
      const clients = new Clients(name, server.address, connections)
      try {
        const before = await reading(server)
        const after = []
        while (after.length < ROUNDS) {
          await round(server, clients, connections * (after.length + 1))
          after.push(await reading(server))
        }
        return figures(before, after)
      } finally {
        await clients.stop()
        await server.stop()
      }
    },
  }
}

/**
 * How much the lowest reading grows. The allocator keeps more after one round and less after another, as chance has it,
 * and never less than what is in use.
 *
 * @param {readonly Record<string, number>[]} after one for each round
 * @param {string} name
 */
function growth(after, name) {
  const values = after.map((reading) => reading[name])
  return Math.min(...values.slice(LATE - 1)) - Math.min(...values.slice(EARLY - 1, LATE - 1))
}

/**
 * @param {Record<string, number>} before
 * @param {readonly Record<string, number>[]} after one for each round
 */
function figures(before, after) {
  const last = after[ROUNDS - 1]
  return {
    before_kb: before.rss_kb,
    ...Object.fromEntries(after.map(({ rss_kb }, at) => [`round_${at + 1}_kb`, rss_kb])),
    peak_kb: last.peak_kb,
    growth_kb: growth(after, 'rss_kb'),
    heap_growth_kb: growth(after, 'heap') / 1024,
    external_growth_kb: growth(after, 'external') / 1024,
    buffers_growth_kb: growth(after, 'array_buffers') / 1024,
    descriptors_growth: last.descriptors - before.descriptors,
    readings: [before, ...after],
  }
}

/**
 * V8 doubles its young generation once, by several MB, at an unpredictable moment. No connection uses that
 * memory, so it is fixed at 1 MB.
 */
export const NODE_ARGS = ['--expose-gc', '--max-semi-space-size=1']

/** @type {readonly Scenario[]} */
export const patterns = [
  pattern('top-up', 100, 'that are topped up to 900,000 waiting bytes, and read 2 MiB'),
  pattern('never-read', 200, 'that ask for replies and never read'),
  pattern('slow-read', 200, 'that ask for replies and read a byte every 200 ms'),
  pattern('pull-stop', 200, 'that send 1 MiB, of which 128 KiB are pulled at first'),
  pattern('park-resume', 200, 'that are paused after each message'),
  pattern('mass-destroy', 400, 'that the server destroys at once, with output waiting'),
]
