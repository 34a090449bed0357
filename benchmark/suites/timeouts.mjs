/** Limits in time: what they cost while nothing happens, and how late connections close. */

import { setTimeout as wait } from 'node:timers/promises'
import { count, fine, plain } from '../format.mjs'
import { Crowd, load } from '../load.mjs'
import { Server } from '../server.mjs'
import { limited, limitedInline, unlimited, unlimitedInline } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const CONNECTIONS = 10_000
/** A limit that ends while a round lasts, and one that does not. */
const SHORT_MS = 3_000
const LONG_MS = 600_000

/** Extra seconds that a round may take in addition to the measurement. */
const PATIENCE = 30

/** @param {import('../server.mjs').Variant} variant @param {number} limit */
function start(variant, limit) {
  const isLimited = variant !== unlimited && variant !== unlimitedInline
  return Server.start(variant, ['--limit', `${isLimited ? limit : 0}`])
}

/**
 * Opens connections to a server with a limit, and looks at them.
 *
 * @template T
 * @param {import('../server.mjs').Variant} variant
 * @param {number} limit
 * @param {(server: Server) => Promise<T>} look
 */
async function withCrowd(variant, limit, look) {
  const server = await start(variant, limit)
  const crowd = new Crowd(server.address)
  try {
    await crowd.open(CONNECTIONS)
    return await look(server)
  } finally {
    await crowd.close()
    await server.stop()
  }
}

/** @type {Scenario} */
const cost = {
  name: 'timeouts-cost',
  title: `${CONNECTIONS} idle connections with five limits in time each`,
  variants: [limited, limitedInline, unlimited],
  columns: [{ title: 'CPU % of a core', value: 'percent', format: fine }],
  targets: [
    {
      text: 'with limits: at most 1 % of a core',
      variant: limited.name,
      value: 'percent',
      most: 1,
    },
  ],
  measure: (variant, { seconds }) =>
    withCrowd(variant, LONG_MS, async (server) => {
      await wait(1_000)
      const before = await server.ask('cpu')
      await wait(seconds * 1e3)
      const after = await server.ask('cpu')
      return { percent: (after.cpu_us - before.cpu_us) / (seconds * 1e4) }
    }),
}

/** @type {Scenario} */
const accuracy = {
  name: 'timeouts-accuracy',
  title: `${CONNECTIONS} connections that are idle for ${SHORT_MS} ms: how late they close, in ms`,
  variants: [limited, limitedInline],
  columns: [
    { title: 'closed', value: 'closed', format: plain },
    { title: 'earliest', value: 'earliest_ms', format: fine },
    { title: 'latest', value: 'latest_ms', format: fine },
  ],
  targets: [
    { text: 'none is early', variant: limited.name, value: 'earliest_ms', least: 0 },
    { text: 'none is over 200 ms late', variant: limited.name, value: 'latest_ms', most: 200 },
  ],
  measure: (variant) =>
    withCrowd(variant, SHORT_MS, async (server) => {
      await wait(SHORT_MS + 2_000)
      const measured = await server.ask('lateness')
      if (measured.closed !== CONNECTIONS) throw new Error(`${measured.closed} have closed`)
      return measured
    }),
}

/** @type {Scenario} */
const echo = {
  name: 'timeouts-echo',
  title: '100 connections with five limits in time each, one message at a time each',
  variants: [limited, unlimited, limitedInline, unlimitedInline],
  columns: [
    { title: 'msg/s', value: 'throughput', format: count },
    { title: '× none', value: 'throughput', over: unlimited.name, format: fine },
    { title: 'min–max', value: 'throughput', over: unlimited.name, format: fine, spread: true },
    { title: '× none-inline', value: 'throughput', over: unlimitedInline.name, format: fine },
    { title: 'CPU µs/msg', value: 'cpu_us_per_message', format: fine },
  ],
  targets: [
    {
      text: 'with limits at least 0.98 of without',
      variant: limited.name,
      value: 'throughput',
      over: unlimited.name,
      least: 0.98,
    },
    {
      text: 'the same inline',
      variant: limitedInline.name,
      value: 'throughput',
      over: unlimitedInline.name,
      least: 0.98,
    },
  ],
  async measure(variant, { seconds }) {
    const server = await start(variant, LONG_MS)
    const { address, pid } = server
    const shape = { address, pid, connections: 100, depth: 1, framing: 'raw', size: 64, seconds }
    try {
      return await load('echo', shape, seconds + PATIENCE)
    } finally {
      await server.stop()
    }
  },
}

export const timeouts = { name: 'timeouts', rounds: 3, scenarios: [cost, accuracy, echo] }
