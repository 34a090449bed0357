/** Echo: messages per second, their latency, and their cost to the server. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, fine, megabytes, plain } from '../format.mjs'
import { load } from '../load.mjs'
import { Server } from '../server.mjs'
import { asBuffers, floor, inline, merged, millrace, nodeNet } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

/** Bytes of a message, without its header. */
const SIZE = 64
/** Extra seconds that a round may take in addition to the measurement. */
const PATIENCE = 30

/** @type {readonly import('../report.mjs').Column[]} */
const COLUMNS = [
  { title: 'msg/s', value: 'throughput', format: count },
  { title: 'min–max', value: 'throughput', format: count, spread: true },
  { title: '× floor', value: 'throughput', over: 'floor', format: fine },
  { title: '× node:net', value: 'throughput', over: 'node:net', format: fine },
  { title: 'p50 µs', value: 'p50_us', format: plain },
  { title: 'p99 µs', value: 'p99_us', format: plain },
  { title: 'p99.9 µs', value: 'p999_us', format: plain },
  { title: 'CPU µs/msg', value: 'cpu_us_per_message', format: fine },
  { title: 'RSS MB', value: 'rss_kb', format: megabytes },
]

/**
 * @param {string} variant
 * @param {string} over
 * @param {number} least
 */
function atLeast(variant, over, least) {
  const text = `${variant} at least ${least.toFixed(2)} of ${over}`
  return { text, variant, value: 'throughput', over, least }
}

/**
 * @param {{ connections: number, depth?: number, framing?: 'raw' | 'length', unix?: boolean }} shape
 * @param {Pick<Scenario, 'name' | 'title' | 'variants' | 'targets'>} scenario
 * @returns {Scenario}
 */
function echoing({ connections, depth = 1, framing = 'raw', unix = false }, scenario) {
  return {
    ...scenario,
    columns: COLUMNS,
    async measure(variant, { seconds }) {
      const folder = unix ? mkdtempSync(join(tmpdir(), 'millrace-')) : undefined
      const path = `${folder}/echo.sock`
      const server = unix
        ? await Server.start(
            variant,
            ['--framing', framing, '--unix', path],
            [],
            ['--address', `unix:${path}`],
          )
        : await Server.start(variant, ['--framing', framing])
      const { address, pid } = server
      const shape = { address, pid, connections, depth, framing, size: SIZE, seconds }
      try {
        return await load('echo', shape, seconds + PATIENCE)
      } finally {
        await server.stop()
        if (folder !== undefined) rmSync(folder, { recursive: true })
      }
    },
  }
}

const ALL = [floor, millrace, inline, nodeNet]

export const echo = {
  name: 'echo',
  rounds: 5,
  scenarios: [
    echoing(
      { connections: 1 },
      {
        name: 'one',
        title: '1 connection, one message at a time',
        variants: ALL,
        targets: [
          {
            text: 'p50 of millrace-inline at most that of node:net, as a ratio',
            variant: inline.name,
            value: 'p50_us',
            over: nodeNet.name,
            most: 1,
          },
        ],
      },
    ),
    echoing(
      { connections: 100 },
      {
        name: 'hundred',
        title: '100 connections, one message at a time each',
        variants: ALL,
        targets: [atLeast('millrace', 'floor', 0.85), atLeast('millrace', 'node:net', 1.5)],
      },
    ),
    echoing(
      { connections: 1000 },
      {
        name: 'thousand',
        title: '1,000 connections, one message at a time each',
        variants: ALL,
        targets: [atLeast('millrace', 'floor', 0.9), atLeast('millrace', 'node:net', 1.5)],
      },
    ),
    echoing(
      { connections: 100, depth: 16 },
      {
        name: 'pipelined',
        title: '100 connections, 16 messages in flight each',
        variants: ALL,
        targets: [],
      },
    ),
    echoing(
      { connections: 100, depth: 16, framing: 'length' },
      {
        name: 'framed',
        title: '100 connections, 16 length-framed messages in flight each, a handler call for each',
        variants: [
          floor,
          millrace,
          inline,
          asBuffers(millrace),
          nodeNet,
          asBuffers(nodeNet),
          merged(nodeNet),
        ],
        targets: [
          atLeast('millrace', 'node:net', 2),
          atLeast('millrace-buffer', 'node:net-buffer', 1.6),
        ],
      },
    ),
  ],
}

/** The same over Unix sockets. */
export const unix = {
  name: 'unix',
  rounds: 5,
  scenarios: [
    echoing(
      { connections: 100, unix: true },
      {
        name: 'unix-hundred',
        title: '100 connections over a Unix socket, one message at a time each',
        variants: ALL,
        targets: [atLeast('millrace', 'node:net', 1.5)],
      },
    ),
    echoing(
      { connections: 100, depth: 16, unix: true },
      {
        name: 'unix-pipelined',
        title: '100 connections over a Unix socket, 16 messages in flight each',
        variants: ALL,
        targets: [],
      },
    ),
  ],
}
