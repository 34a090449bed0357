import test from 'ava'
import type { Balance, Conn } from 'millrace'
import { connect } from './support/client.js'
import { Count } from './support/counts.js'
import { crowd } from './support/crowd.js'
import { start } from './support/serve.js'

/** A server with four loops; `share` returns how many connections each of them has. */
async function fourLoops(
  t: Parameters<typeof start>[0],
  balance: Balance | undefined,
  listeners = 1,
) {
  const conns = new Set<Conn>()
  const opened = new Count()
  const ended = new Count()
  const server = await start(t, {
    listen: Array(listeners).fill('tcp://127.0.0.1:0'),
    loops: 4,
    ...(balance === undefined ? {} : { balance }),
    open(conn) {
      conns.add(conn)
      opened.up()
    },
    message() {},
    close(conn) {
      conns.delete(conn)
      ended.up()
    },
  })
  const loops = server.stats().loops.map((each) => each.loop)
  return {
    server,
    ports: server.addresses.map((address) => Number(address.split(':').pop())),
    conns,
    opened,
    ended,
    share: () => loops.map((loop) => [...conns].filter((conn) => conn.loop === loop).length),
    loops,
  }
}

for (const [balance, listeners] of [
  [undefined, 1],
  ['round-robin', 1],
  ['round-robin', 2],
] as const) {
  test(`round-robin gives each of 4 loops exactly 250 of 1,000 connections (${balance ?? 'the default'}, listeners: ${listeners})`, async (t) => {
    const { ports, opened, share } = await fourLoops(t, balance, listeners)
    await crowd(t, { ports, threads: 8, each: 125 })
    await opened.reaches(1000)
    t.deepEqual(share(), [250, 250, 250, 250])
  })
}

test('round-robin shares one counter between all listeners', async (t) => {
  const { ports, opened, conns, loops } = await fourLoops(t, 'round-robin', 3)
  for (let n = 0; n < 12; n++) {
    await connect(ports[n % 3] as number)
    await opened.reaches(n + 1)
  }
  t.deepEqual(
    [...conns].map((conn) => loops.indexOf(conn.loop)),
    [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3],
  )
})

test('least-connections keeps 1,000 connections within one of each other while they open', async (t) => {
  const { ports, opened, share } = await fourLoops(t, 'least-connections')
  await crowd(t, { ports, threads: 8, each: 125 })
  await opened.reaches(1000)
  t.true(Math.max(...share()) - Math.min(...share()) <= 1, share().join())
})

test('least-connections refills a loop that lost its connections', async (t) => {
  const { server, conns, opened, ended, share, loops } = await fourLoops(t, 'least-connections')
  for (let n = 1; n <= 40; n++) {
    ;(await connect(server.port)).resume()
    await opened.reaches(n)
  }
  t.deepEqual(share(), [10, 10, 10, 10])
  for (const conn of conns) if (conn.loop === loops[2]) conn.destroy()
  await ended.reaches(10)
  for (let n = 41; n <= 50; n++) {
    await connect(server.port)
    await opened.reaches(n)
  }
  t.deepEqual(share(), [10, 10, 10, 10])
})

if (process.platform === 'linux') {
  // Other systems have only one loopback address.
  test('source-hash keeps each of 64 hosts on one loop, and uses all loops', async (t) => {
    const { ports, opened, conns, loops } = await fourLoops(t, 'source-hash')
    const from = (thread: number) =>
      Array.from({ length: 8 }, (_, n) => `127.0.0.${thread * 8 + n + 1}`)
    await crowd(t, { ports, threads: 8, each: 64, from })
    await opened.reaches(512)
    const loopsOf = new Map<string, Set<number>>()
    for (const conn of conns) {
      const host = conn.remote.split(':')[0] as string
      loopsOf.set(host, (loopsOf.get(host) ?? new Set()).add(conn.loop))
    }
    t.is(loopsOf.size, 64)
    t.true([...loopsOf.values()].every((each) => each.size === 1))
    t.deepEqual([...new Set([...conns].map((conn) => conn.loop))].sort(), [...loops].sort())
  })
}

test('source-hash keeps a host on one loop across all listeners, whatever its port', async (t) => {
  const { ports, opened, conns } = await fourLoops(t, 'source-hash', 2)
  await crowd(t, { ports, threads: 2, each: 50 })
  await opened.reaches(100)
  t.is(new Set([...conns].map((conn) => conn.loop)).size, 1)
})

test('when all clients have left, every loop is empty and the next clients are spread evenly again', async (t) => {
  const { server, ports, opened, ended, share } = await fourLoops(t, 'round-robin')
  for (const round of [1, 2]) {
    const { end } = await crowd(t, { ports, threads: 8, each: 50 })
    await opened.reaches(400 * round)
    t.deepEqual(share(), [100, 100, 100, 100])
    await end()
    await ended.reaches(400 * round)
    t.is(server.connections, 0)
  }
})
