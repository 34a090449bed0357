/** UDP: answered datagrams per second, their latency, and their cost to the server. */

import { count, fine, plain } from '../format.mjs'
import { load } from '../load.mjs'
import { Server } from '../server.mjs'
import { udpInline as inline, udp as millrace, nodeDgram } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

/** Bytes of a datagram. */
const SIZE = 64
const PEERS = 64
/** Extra seconds that a round may take in addition to the measurement. */
const PATIENCE = 30

/** @type {readonly import('../report.mjs').Column[]} */
const COLUMNS = [
  { title: 'answered/s', value: 'throughput', format: count },
  { title: 'min–max', value: 'throughput', format: count, spread: true },
  { title: '× node:dgram', value: 'throughput', over: nodeDgram.name, format: fine },
  { title: 'p50 µs', value: 'p50_us', format: plain },
  { title: 'p99 µs', value: 'p99_us', format: plain },
  { title: 'lost', value: 'lost', format: count },
  { title: 'CPU µs/msg', value: 'cpu_us_per_message', format: fine },
  { title: '× node:dgram', value: 'cpu_us_per_message', over: nodeDgram.name, format: fine },
]

/** @type {Scenario['targets']} */
const TARGETS = [
  {
    text: 'millrace at least 2 × node:dgram answered/s',
    variant: millrace.name,
    value: 'throughput',
    over: nodeDgram.name,
    least: 2,
  },
  {
    text: 'server CPU of millrace per answered message at most half of that of node:dgram',
    variant: millrace.name,
    value: 'cpu_us_per_message',
    over: nodeDgram.name,
    most: 0.5,
  },
]

/**
 * @param {number} depth datagrams in flight for each peer
 * @param {Pick<Scenario, 'name' | 'title' | 'targets'>} scenario
 * @returns {Scenario}
 */
function echoing(depth, scenario) {
  return {
    ...scenario,
    variants: [millrace, inline, nodeDgram],
    columns: COLUMNS,
    async measure(variant, { seconds }) {
      const server = await Server.start(variant)
      const { address, pid } = server
      const shape = { address, pid, peers: PEERS, depth, size: SIZE, seconds }
      try {
        return await load('udp', shape, seconds + PATIENCE)
      } finally {
        await server.stop()
      }
    },
  }
}

export const udp = {
  name: 'udp',
  rounds: 5,
  scenarios: [
    echoing(8, {
      name: 'udp-window',
      title: '64 peers, 8 datagrams of 64 bytes in flight each',
      targets: TARGETS,
    }),
    echoing(1, {
      name: 'udp-one',
      title: '64 peers, one datagram of 64 bytes at a time each',
      targets: [],
    }),
  ],
}
