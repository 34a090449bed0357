/** Connections and servers that end in their time, whatever their users and peers do. */

import test from 'ava'
import { type Conn, lengthField, line } from 'millrace'
import { closed, connect, read, readToEnd } from './support/client.js'
import { Count } from './support/counts.js'
import { peer, redial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

/** A client that ends its half only when it is told to. */
function halfOpen(port: number) {
  return connect(port, { allowHalfOpen: true })
}

test('an ended connection that nobody pulls from closes with ERR_LINGER_TIMEOUT', async (t) => {
  const ended = gate<Error | undefined>()
  const opened = gate<Conn>()
  const server = await start(t, {
    lingerTimeout: 50,
    open(conn) {
      conn.end('bye')
      opened.open(conn)
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.on('error', () => {})
  socket.write(Buffer.alloc(16 * MIB))
  socket.resume()
  t.is(codeOf(await ended.passed), 'ERR_LINGER_TIMEOUT')
  const pulled = (await opened.passed)[Symbol.asyncIterator]().next()
  await t.throwsAsync(pulled, { code: 'ERR_LINGER_TIMEOUT' })
  socket.destroy()
})

test('an ended connection with a pull that waits stays open past lingerTimeout', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    lingerTimeout: 20,
    codec: line(),
    async open(conn) {
      conn.end()
      for await (const text of conn) got.open(text.toString())
    },
  })
  const socket = await halfOpen(server.port)
  await readToEnd(socket)
  await new Promise((resolve) => setTimeout(resolve, 150))
  socket.end('still here\n')
  t.is(await got.passed, 'still here')
})

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
  const got = await readToEnd(socket)
  t.is(got.length, conn.bytesWritten)
  t.is(got.subarray(-7).toString(), 'the end')
  t.is(await ended.passed, undefined)
})

test('a server closes in time, whatever its handlers wait for', async (t) => {
  const waiting = new Count()
  const server = await start(t, {
    highWaterMark: 1,
    message() {},
    async open(conn) {
      waiting.up()
      for (;;) if (!conn.write(Buffer.alloc(MIB))) await conn.drained()
    },
    close() {},
  })
  const sockets = await Promise.all([connect(server.port), connect(server.port)])
  await waiting.reaches(2)
  await server.close({ timeout: 50 })
  t.is(server.connections, 0)
  for (const socket of sockets) socket.destroy()
})

test('a second close of a server with a shorter timeout hurries the first one', async (t) => {
  const codes: (string | undefined)[] = []
  const opened = new Count()
  const server = await start(t, {
    message() {},
    open(conn) {
      opened.up()
      return new Promise(() => conn)
    },
    close: (_conn, error) => void codes.push(codeOf(error)),
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const first = server.close()
  await turns(3)
  await server.close({ timeout: 0 })
  await first
  t.deepEqual(codes, ['ERR_CLOSE_TIMEOUT'])
  socket.destroy()
})

for (const pulled of [false, true]) {
  test(`a paused connection holds a closing server up only if something is parked (pulled: ${pulled})`, async (t) => {
    const opened = gate<Conn>()
    const server = await start(t, {
      ...(pulled ? {} : { message() {} }),
      open(conn) {
        conn.pause()
        opened.open(conn)
      },
    })
    const socket = await connect(server.port)
    socket.resume()
    await opened.passed
    await server.close()
    await closed(socket)
    t.pass()
  })
}

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

test('close of a client closes its connection, and makes no other', async (t) => {
  const arrived = new Count()
  const to = await peer(t, 'tcp', (socket) => {
    arrived.up()
    socket.resume()
  })
  const it = await redial(t, { to, reconnect: true })
  it.close()
  await it.closed
  t.is(it.state, 'closed')
  t.is(arrived.value, 1)
})

/** Sends a frame over the limit, reads the reply to the frame before it, and returns the socket. */
async function breakFrames(port: number) {
  const socket = await halfOpen(port)
  socket.write(Buffer.from([0, 0, 0, 1, 65, 127, 0, 0, 0]))
  await read(socket, 5)
  return socket
}

test('a connection that has closed for a bad frame takes no place, and lingers only for its replies', async (t) => {
  const ended = new Count()
  const conns: Conn[] = []
  const server = await start(t, {
    loops: ONE,
    maxConnections: 1,
    codec: lengthField(),
    open: (conn) => void conns.push(conn),
    message: (conn, body) => void conn.write(body),
    close: () => ended.up(),
  })
  const lingering = () => server.stats().loops.reduce((sum, loop) => sum + loop.lingering, 0)
  const socket = await breakFrames(server.port)
  await ended.reaches(1)
  t.is(lingering(), 1)
  t.is(server.connections, 0)
  // The one place is free, and that connection's end changes nothing for the other.
  const other = await breakFrames(server.port)
  await ended.reaches(2)
  t.is(lingering(), 2)
  conns[0]?.destroy()
  await closed(socket.resume().end())
  while (lingering() !== 1) await turns(1)
  conns[1]?.destroy()
  while (lingering() !== 0) await turns(1)
  other.destroy()
})
