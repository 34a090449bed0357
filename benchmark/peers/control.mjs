/** Shared by all JavaScript servers: their options, and the questions that they answer on stdin. */

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { quantile } from '../statistics.mjs'

/** `--framing raw|length --messages in-place|buffer --replies each|merged --work µs --timer ms --loops N|inline --unix path` */
export function options() {
  const { values } = parseArgs({
    options: {
      framing: { type: 'string', default: 'raw' },
      messages: { type: 'string', default: 'in-place' },
      replies: { type: 'string', default: 'each' },
      work: { type: 'string', default: '0' },
      timer: { type: 'string', default: '0' },
      loops: { type: 'string', default: '1' },
      unix: { type: 'string' },
    },
  })
  const { framing, messages, replies, loops } = values
  return {
    framing,
    messages,
    replies,
    loops,
    unix: values.unix,
    work: Number(values.work),
    timer: Number(values.timer),
  }
}

/** The number of messages whose handlers worked, and the intervals of the timer meanwhile. */
const busy = { messages: 0, intervals: /** @type {number[]} */ ([]) }

/**
 * Blocks for that many microseconds, as a busy handler would.
 *
 * @param {number} microseconds
 */
export function work(microseconds) {
  busy.messages++
  const until = performance.now() + microseconds / 1e3
  while (performance.now() < until);
}

/**
 * Starts a timer. Intervals without a message are not counted.
 *
 * @param {number} milliseconds 0 for none
 */
export function startTimer(milliseconds) {
  if (milliseconds === 0) return
  let last = performance.now()
  let seen = 0
  setInterval(() => {
    const now = performance.now()
    if (busy.messages > seen) busy.intervals.push(now - last)
    last = now
    seen = busy.messages
  }, milliseconds)
}

/** @type {Record<string, () => unknown>} */
const ANSWERS = {
  gc() {
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    return { heap: heapUsed, external, array_buffers: arrayBuffers }
  },
  intervals() {
    const { messages, intervals } = busy
    return {
      messages,
      intervals: intervals.length,
      p50_ms: quantile(intervals, 0.5),
      p99_ms: quantile(intervals, 0.99),
      max_ms: quantile(intervals, 1),
    }
  },
}

/**
 * Prints the server's address, answers the runner, and ends the process when its stdin closes.
 *
 * @param {string} address `ip:port`, or `unix:path`
 * @param {Record<string, () => unknown>} [own] answers that only this server has
 */
export function listening(address, own = {}) {
  const answers = { ...ANSWERS, ...own }
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (question) => console.log(JSON.stringify(answers[question]?.() ?? {})))
  lines.on('close', () => process.exit(0))
  console.log(`listening ${address}`)
}
