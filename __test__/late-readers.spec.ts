import test from 'ava'
import { type Flood, flood } from './support/flood.js'
import { tally } from './support/gate.js'
import { start } from './support/serve.js'

const MIB = 1 << 20
const IS_FULL = process.env.MILLRACE_TEST_FULL === '1'
const CLIENTS = IS_FULL ? 200 : 8
const LENGTH = (IS_FULL ? 64 : 32) * MIB
/** Memory that one connection may use: its high-water mark and a budget of input on top. */
const EACH = 3 * MIB
/** The rings, and garbage of server and clients that is not collected yet. */
const SLACK = 96 * MIB

test('an echo to clients that read late is complete and uses bounded memory', async (t) => {
  if (IS_FULL) t.timeout(900_000)
  const full = new Set<number>()
  const floods = new Map<number, Flood>()
  const over = (port: number) => {
    full.add(port)
    floods.get(port)?.read()
  }
  const before = process.memoryUsage.rss()
  let peak = before
  let count = 0
  const closes = tally<Error | undefined>(CLIENTS)
  const server = await start(t, {
    message(conn, chunk) {
      // The echo ignores `false`. The client begins to read once the server is over its mark.
      if (!conn.write(chunk)) over(Number(conn.remote.split(':').pop()))
      if (++count % 256 === 0) peak = Math.max(peak, process.memoryUsage.rss())
    },
    close(_, error) {
      closes.hit(error)
    },
  })
  const began = performance.now()
  const returned = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = await flood(server.port, LENGTH)
      floods.set(client.port, client)
      if (full.has(client.port)) client.read()
      return client.returned
    }),
  )
  t.deepEqual(new Set(returned), new Set([LENGTH]))
  t.deepEqual(new Set(await closes.all), new Set([undefined]))
  t.is(full.size, CLIENTS, 'every connection was over its mark')
  const grown = peak - before
  t.log(
    `${CLIENTS} × ${LENGTH / MIB} MiB in ${Math.round(performance.now() - began)} ms, ${Math.round(grown / MIB)} MiB more at most`,
  )
  t.true(grown < SLACK + CLIENTS * EACH, `${Math.round(grown / MIB)} MiB more memory`)
})
