import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'ava'
import type { Conn } from 'millrace'
import { connect, read, readAll, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { launch } from './support/process.js'
import { LOOPS, RING_BYTES, start } from './support/serve.js'

const MIB = 1 << 20
/** More than the kernel buffers for a client that does not read. */
const MUCH = Buffer.alloc(16 * MIB, 'x')

test('flushed resolves at once if nothing is queued, and otherwise when the kernel has everything', async (t) => {
  const ended = gate<number>()
  const server = await start(t, {
    async open(conn) {
      await conn.flushed()
      conn.write('hello')
      await conn.flushed()
      t.is(conn.buffered, 0)
      ended.open(conn.bytesWritten)
      conn.end()
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), 'hello')
  t.is(await ended.passed, 5)
})

test('flushed waits for a client that reads late', async (t) => {
  const order: string[] = []
  const written = gate()
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    async open(conn) {
      conn.write(MUCH)
      written.open()
      await conn.flushed()
      order.push('flushed')
      conn.end()
    },
  })
  const socket = await connect(server.port)
  await written.passed
  order.push('reads')
  t.is((await readAll(socket)).length, MUCH.length)
  t.deepEqual(order, ['reads', 'flushed'])
})

test('calls of flushed resolve in the order of the writes before them', async (t) => {
  const order: number[] = []
  const done = gate()
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    async open(conn) {
      const promises = [0, 1, 2, 3, 4].map(async (at) => {
        conn.write(MUCH.subarray(0, 2 * MIB))
        await conn.flushed()
        order.push(at)
      })
      // Many calls at the same moment share an answer.
      const same = Array.from({ length: 1000 }, () => conn.flushed())
      await Promise.all([...promises, ...same])
      t.is(conn.buffered, 0)
      conn.end()
      done.open()
    },
  })
  const got = await readAll(await connect(server.port))
  await done.passed
  t.is(got.length, 10 * MIB)
  t.deepEqual(order, [0, 1, 2, 3, 4])
})

test('flushed rejects with the error of the close, for pending and for later calls', async (t) => {
  const errors: unknown[] = []
  const ended = gate<[Conn, Error | undefined]>()
  const mine = new Error('mine')
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    open(conn) {
      conn.write(MUCH)
      for (let count = 0; count < 3; count++) conn.flushed().catch((error) => errors.push(error))
      conn.destroy(mine)
      conn.flushed().catch((error) => errors.push(error))
    },
    close(conn, error) {
      ended.open([conn, error])
    },
  })
  const socket = await connect(server.port)
  const [conn, error] = await ended.passed
  t.is(error, mine)
  await t.throwsAsync(conn.flushed(), { is: mine })
  await t.throwsAsync(conn.drained(), { is: mine })
  t.deepEqual(errors, [mine, mine, mine, mine])
  socket.destroy()
})

test('flushed rejects with ECONNRESET or EPIPE if the peer resets the connection', async (t) => {
  const rejected = gate<unknown>()
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    open(conn) {
      conn.write(MUCH)
      conn.flushed().catch(rejected.open)
    },
    close(_, error) {
      ended.open(error)
    },
  })
  const socket = await connect(server.port)
  await read(socket, 1)
  socket.resetAndDestroy()
  const error = await ended.passed
  t.true(['ECONNRESET', 'EPIPE'].includes(codeOf(error) ?? ''), codeOf(error) ?? 'no error')
  t.is(await rejected.passed, error)
})

test('flushed rejects with ERR_CLOSED after a close without an error', async (t) => {
  const ended = gate<Conn>()
  const server = await start(t, {
    message(conn, chunk) {
      conn.write(chunk)
    },
    close(conn) {
      ended.open(conn)
    },
  })
  const socket = await connect(server.port)
  socket.end('x')
  await readAll(socket)
  const conn = await ended.passed
  await t.throwsAsync(conn.flushed(), { code: 'ERR_CLOSED' })
  await t.throwsAsync(conn.drained(), { code: 'ERR_CLOSED' })
})

test('flushed and drained cause no unhandled rejection if nobody awaits them', async (t) => {
  const script = `
    import net from 'node:net'
    import { serve } from 'millrace'
    const much = Buffer.alloc(12 << 20)
    let left = 3
    const server = await serve({
      listen: 'tcp://127.0.0.1:0',
      loops: ${JSON.stringify(LOOPS)},
      ringBytes: ${RING_BYTES},
      open(conn) {
        conn.write(much)
        conn.flushed()
        conn.flushed()
        conn.drained()
        if (left === 2) conn.destroy(new Error('mine'))
        else if (left === 3) throw new Error('mine too')
      },
      close(conn) {
        conn.flushed()
        conn.drained()
        if (--left === 0) server.close()
        else connect()
      },
    })
    const port = Number(server.addresses[0].split(':').pop())
    const connect = () => {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.once('data', () => socket.resetAndDestroy())
    }
    connect()
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [errors, [code]] = await Promise.all([child.stderr.toArray(), once(child, 'exit')])
  t.is(Buffer.concat(errors).toString(), '')
  t.is(code, 0)
})

for (const [name, look] of Object.entries({
  'flushed is called': () => {},
  'buffered was read': (conn: Conn) => conn.buffered,
  'more was written': (conn: Conn) => conn.write(Buffer.alloc(5000)),
})) {
  test(`flushed rejects for what was lost, even after another connection has its slot (${name})`, async (t) => {
    const result = gate<string | undefined>()
    const server = await start(t, {
      // The loop has to go on while the handler below keeps JavaScript busy.
      loops: 1,
      ringBytes: MIB,
      highWaterMark: 1000,
      message(conn) {
        conn.write(Buffer.alloc(128 * 1024))
        // The peer resets the connection when it hears from us, and another connection takes its slot.
        for (let isReused = false; !isReused; ) {
          const [loop] = server.stats().loops
          isReused = loop?.closed === 1 && loop.opened === 2
        }
        conn.write('lost')
        look(conn)
        conn.flushed().then(
          () => result.open('resolved'),
          (error) => result.open(codeOf(error)),
        )
      },
      close() {},
    })
    launch(t, 'reset-and-return', { args: [server.port] })
    t.is(await result.passed, 'ECONNRESET')
  })
}

test('drained rejects with ERR_CLOSED once our half has ended', async (t) => {
  const results: (string | undefined)[] = []
  const ended = gate()
  const server = await start(t, {
    highWaterMark: 1,
    message() {},
    async open(conn) {
      for (const way of ['end', 'close', 'destroy'] as const) {
        conn[way]()
        for (;;) {
          if (conn.write(Buffer.alloc(MIB))) continue
          const error = await conn.drained().then(
            () => undefined,
            (error: Error) => error,
          )
          if (error === undefined) continue
          results.push(codeOf(error))
          break
        }
      }
    },
    close: () => ended.open(),
  })
  const socket = await connect(server.port)
  socket.resume()
  await ended.passed
  t.deepEqual(results, ['ERR_CLOSED', 'ERR_CLOSED', 'ERR_CLOSED'])
})

test('a handler that waits for drained when its connection ends loses nothing and is no failure', async (t) => {
  const ended = gate<Error | undefined>()
  const waiting = gate<Conn>()
  const server = await start(t, {
    highWaterMark: 1,
    maxWriteBuffer: 64 * MIB,
    message() {},
    async open(conn) {
      waiting.open(conn)
      for (;;) if (!conn.write(Buffer.alloc(16 * MIB))) await conn.drained()
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  const conn = await waiting.passed
  conn.end('the end')
  const got = await readHalf(socket)
  t.is(got.length, conn.bytesWritten)
  t.is(got.subarray(-7).toString(), 'the end')
  t.is(await ended.passed, undefined)
})

test('flushed rejects if a reset came before the kernel took everything', async (t) => {
  const result = gate<string | undefined>()
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    message(conn) {
      conn.write(Buffer.alloc(32 * MIB))
      conn.flushed().then(
        () => result.open('resolved'),
        (error) => result.open(codeOf(error)),
      )
    },
    close() {},
  })
  const socket = await connect(server.port)
  socket.write('x')
  await read(socket, 1)
  socket.resetAndDestroy()
  t.true(['ECONNRESET', 'EPIPE'].includes((await result.passed) as string))
})
