import { readFileSync } from 'node:fs'
import type net from 'node:net'
import test from 'ava'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { crowd } from './support/crowd.js'
import { freePath } from './support/paths.js'
import { launch } from './support/process.js'
import { LOOPS, start } from './support/serve.js'
import { CAN_SHARE } from './support/system.js'

async function echoes(socket: net.Socket, text: string): Promise<boolean> {
  socket.write(text)
  return (await read(socket, text.length)).toString() === text
}

/** How many clients fit into this process together with the server's side of each. */
function maxClients(): number {
  if (process.platform !== 'linux') return 200
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024)
  return Math.min(5000, Math.floor((open - 1000) / 2 / 4) * 4)
}

const BURST = maxClients()
/** The three ways to accept: on the loop, on an acceptor's thread, and on each loop. */
const ACCEPTING = [
  { loops: LOOPS, reusePort: false },
  { loops: 3, reusePort: false },
  ...(CAN_SHARE ? [{ loops: 3, reusePort: true }] : []),
]

for (const { loops, reusePort } of ACCEPTING) {
  const how = `loops: ${loops}${reusePort ? ', on one port each' : ''}`

  test.serial(`a burst of connections is accepted without losing any (${how})`, async (t) => {
    t.log(`${BURST} clients`)
    const opened = new Count()
    const ended = new Count()
    const errors: unknown[] = []
    const server = await start(t, {
      loops,
      reusePort,
      open: () => opened.up(),
      message() {},
      close(_, error) {
        if (error !== undefined) errors.push(error)
        ended.up()
      },
      error: (error) => void errors.push(error),
    })
    const clients = await crowd(t, { ports: [server.port], threads: 4, each: BURST / 4 })
    await opened.reaches(BURST)
    t.is(server.connections, BURST)
    await clients.end()
    await ended.reaches(BURST)
    t.is(server.connections, 0)
    t.deepEqual(errors, [])
  })

  test(`connections that are reset before they are accepted do no harm (${how})`, async (t) => {
    const errors: unknown[] = []
    const gone = new Count()
    const server = await start(t, {
      loops,
      reusePort,
      message: (conn, chunk) => void conn.write(chunk),
      close: () => gone.up(),
      error: (error) => void errors.push(error),
    })
    await server.listeners[0]?.pause()
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connect(server.port)))
    const honest = await connect(server.port)
    for (const socket of sockets) socket.resetAndDestroy()
    await Promise.all(sockets.map(closed))
    await server.listeners[0]?.resume()
    t.true(await echoes(honest, 'hello'))
    t.true(await echoes(await connect(server.port), 'hello'))
    // The kernel may still hand out some of the reset connections: each of those is opened and closed.
    const counted = server.stats().loops.reduce((total, loop) => total + loop.opened, 0)
    await gone.reaches(counted - 2)
    t.is(server.connections, 2)
    t.deepEqual(errors, [])
  })
}

/**
 * Descriptors that the server's process may have. Node uses some 30, and while it loads modules one for each
 * of them at the same time.
 */
const LIMIT = 200
const CLIENTS = 300
const SHORT = [
  ...(CAN_SHARE
    ? [{ what: 'a port of several loops', args: ['tcp://127.0.0.1:0', 'shared'] }]
    : []),
  { what: 'a Unix socket', args: ['unix'] },
]

if (process.platform !== 'win32') {
  for (const { what, args } of SHORT) {
    for (const loops of [1, 3, 'inline'] as const) {
      test(`a server that runs out of descriptors reports it, keeps serving, and accepts again by itself: ${what} (loops: ${loops})`, async (t) => {
        const [listen, sharing] = args as [string, string | undefined]
        const address = listen === 'unix' ? `unix://${freePath(t)}` : listen
        const all = [loops, address, ...(sharing === undefined ? [] : [sharing])]
        const fixture = launch(t, 'descriptors', { args: all, descriptors: LIMIT })
        const where = await fixture.line()
        const to = listen === 'unix' ? where : Number(where)
        const first = await connect(to)
        t.true(await echoes(first, 'hello'))
        const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(to)))
        t.regex(await fixture.line(), /^error EMFILE accept EMFILE /)
        for (let round = 0; round < 50; round++) t.true(await echoes(first, 'still'))
        const served = sockets.map(async (socket) => {
          t.true(await echoes(socket, 'hello'))
          socket.resume().end()
          await closed(socket)
        })
        await Promise.all(served)
        t.true(await echoes(first, 'hello'))
        t.true(await echoes(await connect(to), 'hello'))
      })
    }
  }
}
