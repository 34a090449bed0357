/** Connections and servers that end in their time, whatever their users and peers do. */

import test from 'ava'
import { type Conn, line, raw, type Server } from 'millrace'
import { closed, connect, connectHalfOpen, read, readHalf } from './support/client.js'
import { Count } from './support/counts.js'
import { peer, redial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { lingerPassed } from './support/linger.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

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
  const socket = await connectHalfOpen(server.port)
  await readHalf(socket)
  for (let times = 0; times < 3; times++) await lingerPassed(20, server)
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
  const got = await readHalf(socket)
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
  const messages: (string | undefined)[] = []
  const opened = new Count()
  const server = await start(t, {
    message() {},
    open(conn) {
      opened.up()
      return new Promise(() => conn)
    },
    close: (_conn, error) => void messages.push(error?.message),
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const first = server.close()
  await turns(3)
  await server.close({ timeout: 0 })
  await first
  t.deepEqual(messages, [
    'the connection was still open when the timeout of server.close (0 ms) ended',
  ])
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

for (const order of ['end last', 'end first'] as const) {
  test(`work after a finished iteration is not cut off by lingerTimeout (${order})`, async (t) => {
    const ended = gate<Error | undefined>()
    const seen: string[] = []
    const server: Server = await start(t, {
      lingerTimeout: 30,
      codec: line(),
      async open(conn) {
        if (order === 'end first') conn.end()
        for await (const text of conn) seen.push(text.toString())
        if (order === 'end last') conn.end()
        for (let times = 0; times < 3; times++) await lingerPassed(30, server)
        seen.push('worked')
      },
      close(_conn, error) {
        seen.push('close')
        ended.open(error)
      },
    })
    const socket = await connectHalfOpen(server.port as number)
    socket.resume().end('x\n')
    t.is(await ended.passed, undefined)
    t.deepEqual(seen, ['x', 'worked', 'close'])
  })
}

test('a puller that asks ahead can still write its last reply', async (t) => {
  const server = await start(t, {
    codec: line(),
    open(conn) {
      const pull = async () => {
        const messages = conn[Symbol.asyncIterator]()
        let next = messages.next()
        for (;;) {
          const { done, value } = await next
          if (done) return
          next = messages.next()
          conn.write(value)
        }
      }
      void pull()
    },
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('a\nb\nc\n')
  t.is((await readHalf(socket)).toString(), 'a\nb\nc\n')
})

test('an iteration that is paused finishes after resume, and throws if the stream was cut', async (t) => {
  for (const isCut of [false, true]) {
    const opened = gate<Conn>()
    const finished = gate<string | undefined>()
    const server = await start(t, {
      codec: raw(),
      open(conn) {
        const pull = async () => {
          for await (const chunk of conn) {
            t.is(String(chunk), 'message')
            conn.pause()
            opened.open(conn)
          }
        }
        pull().then(
          () => finished.open('done'),
          (error) => finished.open(codeOf(error)),
        )
      },
      close() {},
    })
    const socket = await connectHalfOpen(server.port)
    socket.resume().write('message')
    const conn = await opened.passed
    const ended = closed(socket)
    if (isCut) socket.resetAndDestroy()
    else socket.end()
    await turns(5)
    if (!isCut) t.is(conn.readyState, 'open')
    conn.resume()
    t.is(await finished.passed, isCut ? 'ECONNRESET' : 'done')
    await ended
  }
})

test('a later close with a longer timeout does not put the first one off', async (t) => {
  const opened = new Count()
  const server = await start(t, {
    message() {},
    open() {
      opened.up()
      return new Promise(() => {})
    },
    close() {},
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const first = server.close({ timeout: 20 })
  await server.close({ timeout: 2 ** 31 - 1 })
  await first
  t.is(server.connections, 0)
  socket.destroy()
})
