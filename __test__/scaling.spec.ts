/** What is done with many connections takes work for each of them, and not for each pair of them. */

import { Session } from 'node:inspector/promises'
import { setFlagsFromString } from 'node:v8'
import test, { type ExecutionContext } from 'ava'
import { bind, type Conn, connect, type Server } from 'millrace'
import { Count } from './support/counts.js'
import { ONE, start } from './support/serve.js'

// Optimised code does not count all of its calls.
setFlagsFromString('--no-opt')

const [FEW, MANY] = [40, 320]
/** How much faster than the number of connections a count may grow. With the square of it, a count grows 8 times faster. */
const SLACK = 3
/** Counts up to so many for each connection are taken for a constant cost. */
const EACH = 20

/** How often each piece of our code ran. */
type Counts = ReadonlyMap<string, number>

/** Counts how often each piece of our code runs during `work`. */
async function counted(work: () => Promise<void>): Promise<Counts> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    await work()
    const { result } = await session.post('Profiler.takePreciseCoverage')
    const counts = new Map<string, number>()
    for (const { url, functions } of result) {
      const file = /\/(lib\/.*)$/.exec(url)?.[1]
      if (file === undefined) continue
      for (const { functionName, ranges } of functions)
        for (const { startOffset, count } of ranges)
          counts.set(`${functionName} in ${file} at ${startOffset}`, count)
    }
    return counts
  } finally {
    session.disconnect()
  }
}

/** A server with connections, in a loop whose rings are full at once. */
interface Crowd {
  readonly server: Server
  readonly conns: readonly Conn[]
  /** Counts closed connections of the server. */
  readonly closed: Count
}

async function crowd(t: ExecutionContext, size: number): Promise<Crowd> {
  const conns: Conn[] = []
  const [opened, closed] = [new Count(), new Count()]
  const server = await start(t, {
    loops: ONE,
    ringBytes: 4096,
    open(conn) {
      conns.push(conn)
      opened.up()
    },
    message() {},
    close: () => closed.up(),
  })
  const to = `tcp://127.0.0.1:${server.port}`
  for (let count = 0; count < size; count++) await connect({ to, message() {}, close() {} })
  await opened.reaches(size)
  return { server, conns, closed }
}

/** What is done with all connections at once. All of them are destroyed in the end. */
const WORK: Readonly<Record<string, (crowd: Crowd) => void>> = {
  'destroying all': () => {},
  'destroying all that have written': ({ conns }) => {
    for (const conn of conns) conn.write('some text')
  },
  'resetting all': ({ conns }) => {
    for (const conn of conns) conn.reset()
  },
  'ending all': ({ conns }) => {
    for (const conn of conns) conn.end('some text')
  },
  'closing all': ({ conns }) => {
    for (const conn of conns) conn.close('some text')
  },
  'closing the server': ({ server }) => void server.close({ timeout: 0 }),
  'a broadcast to a group': ({ server, conns }) =>
    void server.broadcast('hello', { group: new Set(conns) }),
  'finding each by its number': ({ server, conns }) => {
    for (const conn of conns) server.get(conn.id)
  },
  'pausing and resuming all': ({ conns }) => {
    for (const conn of conns) conn.pause()
    for (const conn of conns) conn.resume()
  },
  'setting the timeouts of all': ({ conns }) => {
    for (const conn of conns) conn.setTimeouts({ idle: 60_000 })
  },
}

/** Finds the pieces of our code that ran more often than the number of connections explains. */
function tooMany(few: Counts, many: Counts): string[] {
  const growth = (SLACK * MANY) / FEW
  return [...many]
    .filter(([piece, count]) => count > growth * Math.max(few.get(piece) ?? 0, EACH * FEW))
    .map(([piece, count]) => `${piece} ran ${few.get(piece) ?? 0} times, and then ${count} times`)
}

for (const [what, work] of Object.entries(WORK)) {
  test.serial(`${what}: the work grows with the number of connections`, async (t) => {
    const measure = async (size: number) => {
      const all = await crowd(t, size)
      const counts = await counted(async () => {
        work(all)
        for (const conn of all.conns) conn.destroy()
        await all.closed.reaches(size)
      })
      await all.server.close({ timeout: 0 })
      return counts
    }
    const [few, many] = [await measure(FEW), await measure(MANY)]
    t.true(many.size > 0)
    t.deepEqual(tooMany(few, many), [])
  })
}

test.serial('binding a datagram socket takes no work for each of the others', async (t) => {
  const owner = await start(t, { loops: ONE })
  const measure = (size: number) =>
    counted(async () => {
      for (let count = 0; count < size; count++) {
        const socket = await bind({ address: 'udp://127.0.0.1:0', loops: owner, message() {} })
        t.teardown(() => socket.close())
      }
    })
  const [few, many] = [await measure(FEW), await measure(MANY)]
  t.deepEqual(tooMany(few, many), [])
})
