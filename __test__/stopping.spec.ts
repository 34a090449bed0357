import type net from 'node:net'
import test from 'ava'
import { type Conn, type MillraceError, type Server, serve } from 'millrace'
import { closed, connect, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { gate } from './support/gate.js'
import { LOOPS, start } from './support/serve.js'

const VARIANTS = [{ loops: LOOPS }, { loops: 3 }] as const

for (const { loops } of VARIANTS) {
  test(`T10 a server that closes ends all its connections and calls close for each (loops: ${loops})`, async (t) => {
    const opened = new Count()
    const counts: number[] = []
    const ended: (Error | undefined)[] = []
    const server: Server = await start(t, {
      loops,
      open() {
        opened.up()
        // A connection is already counted when open is called.
        counts.push(server.connections)
      },
      message() {},
      close: (_, error) => void ended.push(error),
    })
    const port = Number(server.addresses[0]?.split(':').pop())
    const sockets: net.Socket[] = []
    for (let n = 1; n <= 100; n++) {
      sockets.push(await connect(port))
      await opened.reaches(n)
    }
    t.deepEqual(
      counts,
      Array.from({ length: 100 }, (_, n) => n + 1),
    )
    const all = sockets.map((socket) => readAll(socket))
    await server.close()
    t.deepEqual(ended, Array(100).fill(undefined))
    t.is(server.connections, 0)
    for (const bytes of await Promise.all(all)) t.is(bytes.length, 0)
  })

  test(`T11 data written before end arrives, and a close handler can close the server (loops: ${loops})`, async (t) => {
    const told = gate<Error | undefined>()
    const stopped = gate<Promise<void>>()
    const server = await start(t, {
      loops,
      message(conn, chunk) {
        conn.write(chunk)
        conn.end()
      },
      close(_, error) {
        told.open(error)
        stopped.open(server.close())
      },
    })
    const socket = await connect(server.port)
    socket.write('last words')
    t.is((await readAll(socket)).toString(), 'last words')
    t.is(await told.passed, undefined)
    await await stopped.passed
    await t.throwsAsync(connect(server.port), { code: 'ECONNREFUSED' })
  })

  test(`T12 the reply of a handler that closes the server arrives (loops: ${loops})`, async (t) => {
    const stopped = gate<Promise<void>>()
    const server = await start(t, {
      loops,
      message(conn, chunk) {
        conn.write(chunk)
        stopped.open(server.close())
      },
    })
    const socket = await connect(server.port)
    socket.write('reply')
    t.is((await readAll(socket)).toString(), 'reply')
    await await stopped.passed
  })

  test(`T13 open can end its connection and close its server (loops: ${loops})`, async (t) => {
    const reached: string[] = []
    const server = await start(t, {
      loops,
      open: (conn) => conn.close('bye'),
      message: () => void reached.push('message'),
    })
    const socket = await connect(server.port)
    socket.write('hello')
    t.is((await readAll(socket)).toString(), 'bye')

    const stopped = gate<Promise<void>>()
    const other = await start(t, {
      loops,
      async open(conn) {
        conn.write('welcome')
        stopped.open(other.close())
        // A closing server still shows its state, but accepts no new work.
        t.is(other.connections, 1)
        t.is(other.addresses.length, 1)
        const refused = [other.listen('tcp://127.0.0.1:0'), other.dup()]
        for (const each of refused) await t.throwsAsync(each, { code: 'ERR_CLOSED' })
      },
      message() {},
    })
    const second = await connect(other.port)
    t.is((await readAll(second)).toString(), 'welcome')
    await await stopped.passed
    t.is(other.connections, 0)
    await t.throwsAsync(other.listen('tcp://127.0.0.1:0'), { code: 'ERR_CLOSED' })
    await t.throwsAsync(other.dup(), { code: 'ERR_CLOSED' })
    t.deepEqual(reached, [])
  })

  test(`T15 asyncDispose outside a handler resolves when the connection is closed (loops: ${loops})`, async (t) => {
    const opened = gate<Conn>()
    const ended: (Error | undefined)[] = []
    const server = await start(t, {
      loops,
      open: (conn) => opened.open(conn),
      message() {},
      close: (_, error) => void ended.push(error),
    })
    const socket = await connect(server.port)
    const all = readAll(socket)
    const conn = await opened.passed
    await new Promise((resolve) => setImmediate(resolve))
    await conn[Symbol.asyncDispose]()
    t.deepEqual(ended, [undefined])
    t.is((await all).length, 0)
    t.is(conn.readyState, 'closed')
  })

  test(`T17 a server closed outside a handler closes its connections, and can be closed again (loops: ${loops})`, async (t) => {
    const server = await start(t, { loops, message: (conn, chunk) => void conn.write(chunk) })
    const socket = await connect(server.port)
    socket.write('hello')
    t.is((await read(socket, 5)).toString(), 'hello')
    const all = closed(socket.resume())
    await new Promise((resolve) => setImmediate(resolve))
    const closing = server.close()
    t.is(server.close(), closing)
    await closing
    await all
    await t.notThrowsAsync(server.close())
    await t.throwsAsync(connect(server.port), { code: 'ECONNREFUSED' })
  })
}

test('T16 options out of range are refused before anything is bound', async (t) => {
  const probe = await start(t, { message() {} })
  await probe.close()
  const listen = probe.addresses[0] as string
  for (const options of [
    { loops: 129 },
    { loops: 0 },
    { backlog: 0 },
    { maxConnections: 0 },
    { keepAlive: { count: 200 } },
    { dscp: 64 },
    { receiveBuffer: 0 },
  ]) {
    const error = (await t.throwsAsync(serve({ listen, ...options }))) as MillraceError
    t.is(error.code, 'ERR_INVALID_OPTION')
    t.regex(error.message, new RegExp(Object.keys(options)[0] as string))
  }
  await t.throwsAsync(connect(probe.port), { code: 'ECONNREFUSED' })
})
