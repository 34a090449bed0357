/** Memory: the cost of an idle connection, and whether connections leave anything behind when they close. */

import { megabytes, plain } from '../format.mjs'
import { Crowd, load } from '../load.mjs'
import { Server } from '../server.mjs'
import { floor, inline, millrace, nodeNet } from '../variants.mjs'
import { NODE_ARGS, patterns } from './patterns.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const PATIENCE = 120
/** Idle connections opened before the first reading, and again between the two readings. */
const STEP = 5000
/** Rounds of connects and closes, connections in each, and the round of the first reading. */
const ROUNDS = 10
const COMING = 10_000
const SETTLED = 5

const VARIANTS = [floor, millrace, inline, nodeNet]
const OURS = [millrace, inline]

/**
 * Runs `body` with a server whose code is compiled and whose heap has settled.
 *
 * @template T
 * @param {import('../server.mjs').Variant} variant
 * @param {(server: Server) => Promise<T>} body
 */
async function warm(variant, body) {
  const server = await Server.start(variant, ['--framing', 'raw'], NODE_ARGS)
  try {
    await load('echo', { address: server.address, connections: 100, seconds: 1 }, PATIENCE)
    return await body(server)
  } finally {
    await server.stop()
  }
}

/** @type {Scenario} */
const idle = {
  name: 'idle',
  title: `An idle connection after one echo (from ${STEP} to ${2 * STEP} connections)`,
  variants: VARIANTS,
  columns: [
    { title: 'bytes each', value: 'bytes', format: plain },
    { title: 'min–max', value: 'bytes', format: plain, spread: true },
    { title: 'of it JS heap', value: 'heap_bytes', format: plain },
    { title: 'RSS MB with none', value: 'none_kb', format: megabytes },
    { title: `with ${2 * STEP}`, value: 'full_kb', format: megabytes },
  ],
  targets: OURS.map(({ name }) => ({
    text: `${name}: at most 1,024 bytes each`,
    variant: name,
    value: 'bytes',
    most: 1024,
  })),
  measure: (variant) =>
    warm(variant, async (server) => {
      const none = await server.memory()
      const crowd = new Crowd(server.address)
      try {
        await crowd.open(STEP)
        const half = await server.memory()
        await crowd.open(STEP)
        const full = await server.memory()
        return {
          bytes: ((full.rss_kb - half.rss_kb) * 1024) / STEP,
          heap_bytes: (full.heap - half.heap) / STEP,
          none_kb: none.rss_kb,
          half_kb: half.rss_kb,
          full_kb: full.rss_kb,
        }
      } finally {
        await crowd.close()
      }
    }),
}

/** @type {Scenario} */
const churn = {
  name: 'churn',
  title: `${ROUNDS} rounds of ${COMING} connects, one echo each, and closes`,
  variants: VARIANTS,
  columns: [
    { title: `growth kB, round ${SETTLED} to ${ROUNDS}`, value: 'growth_kb', format: plain },
    { title: 'min–max', value: 'growth_kb', format: plain, spread: true },
    { title: 'JS heap growth kB', value: 'heap_growth_kb', format: plain },
    { title: 'RSS MB, round 1', value: 'first_kb', format: megabytes },
    { title: `round ${ROUNDS}`, value: 'last_kb', format: megabytes },
    { title: 'connects/s', value: 'connects', format: plain },
  ],
  targets: OURS.map(({ name }) => ({
    text: `${name}: grows by at most 1,024 kB`,
    variant: name,
    value: 'growth_kb',
    most: 1024,
  })),
  measure: (variant) =>
    warm(variant, async (server) => {
      const readings = []
      let connects = 0
      for (let round = 0; round < ROUNDS; round++) {
        const shape = { address: server.address, rounds: 1, connections: COMING }
        connects += (await load('churn', shape, PATIENCE)).connects_per_second / ROUNDS
        readings.push(await server.memory())
      }
      const settled = readings[SETTLED - 1]
      const last = readings[ROUNDS - 1]
      return {
        growth_kb: last.rss_kb - settled.rss_kb,
        heap_growth_kb: (last.heap - settled.heap) / 1024,
        first_kb: readings[0].rss_kb,
        last_kb: last.rss_kb,
        connects,
        rss_kb: readings.map((reading) => reading.rss_kb),
        heap: readings.map((reading) => reading.heap),
      }
    }),
}

export const memory = { name: 'memory', rounds: 1, scenarios: [idle, churn, ...patterns] }
