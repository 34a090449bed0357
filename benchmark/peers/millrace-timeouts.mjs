/** An echo server whose connections have limits in time. It says how late each of them closed. */

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { serve } from 'millrace'

const { values } = parseArgs({
  options: {
    loops: { type: 'string', default: '1' },
    /** Milliseconds of each limit; 0 for none. */
    limit: { type: 'string', default: '0' },
  },
})
const limit = Number(values.limit)
/** Milliseconds between the end of the limit and the end of the connection. */
const lateness = []

const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  loops: values.loops === 'inline' ? values.loops : Number(values.loops),
  // The others end later, so that `idle` is what closes.
  timeouts: { idle: limit, receive: 2 * limit, firstMessage: limit, frame: limit, write: limit },
  context: () => ({ movedAt: performance.now() }),
  message(conn, chunk) {
    conn.context.movedAt = performance.now()
    conn.write(chunk)
  },
  close(conn, error) {
    if (error?.code?.endsWith('_TIMEOUT') !== true) return
    lateness.push(performance.now() - conn.context.movedAt - limit)
  },
})

const lines = createInterface({ input: process.stdin })
lines.on('line', (question) => {
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage()
    console.log(JSON.stringify({ cpu_us: user + system }))
  } else {
    const [min, max] = [Math.min(...lateness), Math.max(...lateness)]
    console.log(JSON.stringify({ closed: lateness.length, earliest_ms: min, latest_ms: max }))
  }
})
lines.on('close', () => process.exit(0))
console.log(`listening ${server.addresses[0].slice('tcp://'.length)}`)
