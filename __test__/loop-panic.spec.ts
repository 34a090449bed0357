import type net from 'node:net'
import test from 'ava'
import type { Conn, MillraceError, Server } from 'millrace'
import { theEnvironment } from '../lib/runtime/environment.js'
import { injectPanic } from '../native.cjs'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'

function panic(loop: number): void {
  injectPanic(theEnvironment().handle, loop)
}

/** Records the calls of a server's handlers. */
class Told {
  readonly conns: Conn[] = []
  readonly closes: (string | undefined)[] = []
  readonly errors: string[] = []
  readonly opened = new Count()
  readonly closed = new Count()
  readonly failed = new Count()

  readonly handlers = {
    open: (conn: Conn) => {
      this.conns.push(conn)
      this.opened.up()
    },
    message: (conn: Conn, chunk: Buffer) => void conn.write(chunk),
    close: (_conn: Conn, error?: Error) => {
      this.closes.push((error as MillraceError | undefined)?.code)
      this.closed.up()
    },
    error: (error: Error) => {
      this.errors.push((error as MillraceError).code)
      this.failed.up()
    },
  }
}

async function echoes(socket: net.Socket): Promise<boolean> {
  socket.write('ping')
  return (await read(socket, 4)).toString() === 'ping'
}

function loopsOf(server: Server): number[] {
  return server.stats().loops.map((each) => each.loop)
}

test('a loop that panics loses its own connections and no others', async (t) => {
  const told = new Told()
  const server = await start(t, { loops: 2, ...told.handlers })
  const sockets = []
  for (let n = 1; n <= 6; n++) {
    sockets.push(await connect(server.port))
    await told.opened.reaches(n)
  }
  const [lost] = loopsOf(server)
  panic(lost as number)
  await told.closed.reaches(3)
  await told.failed.reaches(1)
  t.deepEqual(told.closes, Array(3).fill('ERR_LOOP_PANIC'))
  t.deepEqual(told.errors, ['ERR_LOOP_PANIC'])
  for (const [at, conn] of told.conns.entries()) {
    const socket = sockets[at] as net.Socket
    if (conn.loop === lost) {
      t.is(conn.readyState, 'closed')
      t.false(conn.write('into the void'))
      socket.resume()
      await closed(socket)
    } else {
      t.true(await echoes(socket))
    }
  }
  t.is(server.connections, 3)
})

test('a close handler finds no closed connection among those of the server', async (t) => {
  const told = new Told()
  const found: string[][] = []
  const server: Server = await start(t, {
    loops: 2,
    ...told.handlers,
    close(conn, error) {
      found.push([...server].map(({ readyState }) => readyState))
      told.handlers.close(conn, error)
    },
  })
  for (let n = 1; n <= 6; n++) {
    await connect(server.port as number)
    await told.opened.reaches(n)
  }
  panic(loopsOf(server)[0] as number)
  await told.closed.reaches(3)
  t.deepEqual(found, Array(3).fill(['open', 'open', 'open']))
})

test('new connections go to the remaining loops', async (t) => {
  const told = new Told()
  const server = await start(t, { loops: 3, ...told.handlers })
  const [first, lost, third] = loopsOf(server)
  panic(lost as number)
  await told.failed.reaches(1)
  for (let n = 0; n < 6; n++) t.true(await echoes(await connect(server.port)))
  t.deepEqual([...new Set(told.conns.map((conn) => conn.loop))].sort(), [first, third])
})

for (const loops of [1, 2, 'inline'] as const) {
  test(`a server closes when its last loop panics (loops: ${loops})`, async (t) => {
    const told = new Told()
    const server = await start(t, { loops, ...told.handlers })
    const sockets = [await connect(server.port), await connect(server.port)]
    await told.opened.reaches(2)
    const lost = loopsOf(server)
    for (const loop of lost) panic(loop)
    await told.failed.reaches(lost.length)
    await server.close()
    t.deepEqual(told.closes, ['ERR_LOOP_PANIC', 'ERR_LOOP_PANIC'])
    t.is(told.errors.length, lost.length)
    t.is(server.connections, 0)
    t.deepEqual([...server], [])
    for (const socket of sockets) await closed(socket.resume())
    await t.throwsAsync(connect(server.port), { code: 'ECONNREFUSED' })
  })

  test(`a loop that panics with a full ring closes each connection once (loops: ${loops})`, async (t) => {
    const told = new Told()
    let isFirst = true
    const server = await start(t, {
      loops,
      ringBytes: 4096,
      ...told.handlers,
      message(conn) {
        if (isFirst) for (const loop of loopsOf(server)) panic(loop)
        isFirst = false
        conn.write('x')
      },
    })
    const sockets = await Promise.all(Array.from({ length: 8 }, () => connect(server.port)))
    await told.opened.reaches(8)
    for (const socket of sockets) socket.resume().write(Buffer.alloc(256 * 1024))
    await told.closed.reaches(8)
    await server.close()
    t.deepEqual(told.closes, Array(8).fill('ERR_LOOP_PANIC'))
    for (const socket of sockets) await closed(socket)
  })
}

test('a server that borrows a dead loop serves on the others, and can close', async (t) => {
  const told = new Told()
  const owner = await start(t, { loops: 2, ...told.handlers })
  const [lost, left] = loopsOf(owner)
  panic(lost as number)
  await told.failed.reaches(1)
  const borrower = await start(t, { loops: owner, ...told.handlers })
  for (let n = 0; n < 3; n++) t.true(await echoes(await connect(borrower.port)))
  t.true(told.conns.every((conn) => conn.loop === left))
  await borrower.close({ timeout: 0 })
  t.is(borrower.connections, 0)
})

test('the connections of a lost loop no longer count for maxConnections', async (t) => {
  const told = new Told()
  const server = await start(t, { loops: 2, maxConnections: 2, ...told.handlers })
  for (let n = 1; n <= 2; n++) {
    await connect(server.port)
    await told.opened.reaches(n)
  }
  const third = await connect(server.port)
  panic(loopsOf(server)[0] as number)
  t.true(await echoes(third))
})
