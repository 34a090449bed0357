/** Proxies: how much they pass on, and what that costs them. The upstream is the load generator's own echo. */

import { spawnSync } from 'node:child_process'
import { fine, plain } from '../format.mjs'
import { load } from '../load.mjs'
import { Server } from '../server.mjs'
import { floor, haproxy, nodeProxy, proxy, proxyInline } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

/** Extra seconds that a round may take in addition to the measurement. */
const PATIENCE = 30
const KIB = 1024

/** HAProxy, where there is one. */
const OTHERS = spawnSync('haproxy', ['-v']).status === 0 ? [haproxy] : []

/** @type {readonly import('../report.mjs').Column[]} */
const COLUMNS = [
  { title: 'MB/s', value: 'megabytes', format: plain },
  { title: 'min–max', value: 'megabytes', format: plain, spread: true },
  { title: '× node:net', value: 'megabytes', over: nodeProxy.name, format: fine },
  ...OTHERS.map(({ name }) => ({
    title: `× ${name}`,
    value: 'megabytes',
    over: name,
    format: fine,
  })),
  { title: 'p50 µs', value: 'p50_us', format: plain },
  { title: 'p99 µs', value: 'p99_us', format: plain },
  { title: 'CPU ns/KiB', value: 'cpu_ns_per_kib', format: plain },
  { title: '× node:net', value: 'cpu_ns_per_kib', over: nodeProxy.name, format: fine },
]

/**
 * @param {string} name
 * @param {{ connections: number, size: number, least: number }} shape
 * @returns {Scenario}
 */
function passing(name, { connections, size, least }) {
  return {
    name,
    title: `${connections} connections through a proxy, ${size / KIB} KiB back and forth on each`,
    variants: [proxy, proxyInline, nodeProxy, ...OTHERS],
    columns: COLUMNS,
    targets: [
      {
        text: `millrace: at least ${least} × a.pipe(b)`,
        variant: proxy.name,
        value: 'megabytes',
        over: nodeProxy.name,
        least,
      },
      {
        text: 'millrace: CPU for each byte at most 0.6 of a.pipe(b)',
        variant: proxy.name,
        value: 'cpu_ns_per_kib',
        over: nodeProxy.name,
        most: 0.6,
      },
    ],
    async measure(variant, { seconds }) {
      const upstream = await Server.start(floor)
      try {
        const server = await Server.start(variant, ['--upstream', upstream.address])
        const { address, pid } = server
        const shape = { address, pid, connections, depth: 1, framing: 'raw', size, seconds }
        try {
          const measured = await load('echo', shape, seconds + PATIENCE)
          return {
            ...measured,
            megabytes: (measured.throughput * size) / 1e6,
            cpu_ns_per_kib: (measured.cpu_us_per_message * 1e3) / (size / KIB),
          }
        } finally {
          await server.stop()
        }
      } finally {
        await upstream.stop()
      }
    },
  }
}

export const proxies = {
  name: 'proxy',
  rounds: 5,
  scenarios: [
    passing('proxy-small', { connections: 200, size: KIB, least: 2 }),
    passing('proxy-large', { connections: 16, size: 64 * KIB, least: 1.5 }),
  ],
}
