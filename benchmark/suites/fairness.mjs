/** Fairness: how busy connections affect timers and quiet connections. */

import { count, fine, plain } from '../format.mjs'
import { load } from '../load.mjs'
import { Server } from '../server.mjs'
import { inline, millrace, nodeNet } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const PATIENCE = 30
/** Microseconds that a handler works on each message. */
const WORK = 20
/** Milliseconds between the ticks of the timer. */
const TIMER = 10
/** The highest allowed median of the intervals, in milliseconds. */
const MEDIAN = 13
/** Milliseconds after which the timer counts as starved. */
const STARVED = 50

/** @type {Scenario} */
const timer = {
  name: 'timer',
  title: `A ${TIMER} ms timer next to messages with ${WORK} µs of work each (100 connections, 16 in flight)`,
  variants: [millrace, inline, nodeNet],
  columns: [
    { title: 'interval p50 ms', value: 'p50_ms', format: fine },
    { title: 'p99 ms', value: 'p99_ms', format: fine },
    { title: 'max ms', value: 'max_ms', format: fine },
    { title: 'max, min–max', value: 'max_ms', format: fine, spread: true },
    { title: 'intervals', value: 'intervals', format: count },
    { title: 'messages', value: 'messages', format: count },
  ],
  targets: [millrace, inline].flatMap(({ name }) => [
    { text: `${name}: 100,000 messages`, variant: name, value: 'messages', least: 100_000 },
    { text: `${name}: median at most ${MEDIAN} ms`, variant: name, value: 'p50_ms', most: MEDIAN },
    { text: `${name}: none over ${STARVED} ms`, variant: name, value: 'max_ms', most: STARVED },
  ]),
  async measure(variant, { seconds }) {
    const args = ['--framing', 'length', '--work', `${WORK}`, '--timer', `${TIMER}`]
    const server = await Server.start(variant, args)
    const { address, pid } = server
    const shape = { address, pid, connections: 100, depth: 16, framing: 'length', seconds }
    try {
      await load('echo', shape, seconds + PATIENCE)
      return await server.ask('intervals')
    } finally {
      await server.stop()
    }
  },
}

/**
 * @param {'raw' | 'length'} framing
 * @param {string} name
 * @returns {Scenario}
 */
function flood(framing, name) {
  return {
    name,
    title: `A connection with a message every 5 ms next to a flooding one (${framing}, 4,096 in flight)`,
    variants: [millrace, inline, nodeNet],
    columns: [
      { title: 'quiet p50 µs', value: 'p50_us', format: plain },
      { title: 'p99 µs', value: 'p99_us', format: plain },
      { title: 'max µs', value: 'max_us', format: plain },
      { title: 'flood msg/s', value: 'flood', format: count },
      { title: '× node:net', value: 'flood', over: 'node:net', format: fine },
    ],
    targets: [],
    async measure(variant, { seconds }) {
      const server = await Server.start(variant, ['--framing', framing])
      try {
        const { address } = server
        const result = await load(
          'flood-and-quiet',
          { address, framing, seconds },
          seconds + PATIENCE,
        )
        return { ...result.quiet, flood: result.flood.throughput, errors: result.errors }
      } finally {
        await server.stop()
      }
    },
  }
}

export const fairness = {
  name: 'fairness',
  rounds: 3,
  scenarios: [timer, flood('raw', 'flood'), flood('length', 'framed-flood')],
}
