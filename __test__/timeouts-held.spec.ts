/** Limits in time stand still while this side does not read, and can be changed while a connection is open. */

import test, { type ExecutionContext } from 'ava'
import { type Conn, defineCodec, line, raw, type Server } from 'millrace'
import { closed, connect, connectHalfOpen, readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const TIME = 100

/** Resolves when connections of the same loops have been idle for several times `TIME`, one after the other. */
async function timesPassed(t: ExecutionContext, loops: Server, times = 3): Promise<void> {
  for (let time = 0; time < times; time++) {
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      loops,
      timeouts: { idle: TIME },
      message() {},
      close: (_conn, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    t.is(codeOf(await ended.passed), 'ERR_IDLE_TIMEOUT')
    socket.destroy()
  }
}

/** Messages of two bytes in a raw stream. */
const pairs = defineCodec({
  framing: raw(),
  decode: (reader) => (reader.remaining < 2 ? undefined : reader.text(2)),
  encode: (message: string, writer) => writer.text(message),
})

for (const timeouts of [{ idle: TIME }, { receive: TIME }, { firstMessage: TIME }]) {
  const [name] = Object.keys(timeouts)

  test(`${name} stands still while the connection is paused`, async (t) => {
    const opened = gate<Conn>()
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      codec: line(),
      timeouts,
      open(conn) {
        conn.pause()
        opened.open(conn)
      },
      message() {},
      close: (_conn, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    const conn = await opened.passed
    await timesPassed(t, server)
    t.is(conn.readyState, 'open')
    conn.resume()
    t.regex(codeOf(await ended.passed) ?? '', /^ERR_(IDLE|RECEIVE|FIRST_MESSAGE)_TIMEOUT$/)
    socket.destroy()
  })
}

for (const timeouts of [{ idle: TIME }, { receive: TIME }]) {
  const [name] = Object.keys(timeouts)

  test(`${name} stands still while nobody pulls, and goes on with the pull`, async (t) => {
    const opened = gate<Conn>()
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      codec: line(),
      timeouts,
      open: (conn) => opened.open(conn),
      close: (_conn, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    const conn = await opened.passed
    await timesPassed(t, server)
    t.is(conn.readyState, 'open')
    const pulled = conn[Symbol.asyncIterator]().next()
    await t.throwsAsync(pulled, { code: codeOf(await ended.passed) ?? '' })
    socket.destroy()
  })
}

test('a message of a raw stream that nobody has pulled yet is not late', async (t) => {
  const first = gate<Conn>()
  const opened = gate<Conn>()
  let count = 0
  const timeouts = { firstMessage: 10 * TIME, frame: 10 * TIME }
  const server = await start(t, {
    codec: pairs,
    maxConnections: 1,
    listen: [
      { host: '127.0.0.1', port: 0, timeouts },
      { host: '127.0.0.1', port: 0 },
    ],
    open: (conn) => (count++ === 0 ? first : opened).open(conn),
  })
  const [limited, unlimited] = server.listeners.map(({ port }) => port ?? 0)
  // The messages are there before the connection is accepted: how late this process writes does not matter.
  await connect(unlimited ?? 0)
  const holder = await first.passed
  const socket = await connect(limited ?? 0)
  await new Promise<void>((resolve) => socket.write('okok', () => resolve()))
  holder.destroy()
  const conn = await opened.passed
  await timesPassed(t, server, 12)
  const messages = conn[Symbol.asyncIterator]()
  t.deepEqual(await messages.next(), { done: false, value: 'ok' })
  await timesPassed(t, server, 12)
  t.deepEqual(await messages.next(), { done: false, value: 'ok' })
  socket.destroy()
})

test('a message of a raw stream whose rest waits to be pulled is not late', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, {
    codec: pairs,
    timeouts: { frame: 10 * TIME },
    open: (conn) => opened.open(conn),
  })
  const socket = await connect(server.port)
  socket.write('oko')
  const conn = await opened.passed
  const messages = conn[Symbol.asyncIterator]()
  await messages.next()
  // The next message is seen to have begun, and then the user does something else.
  void messages.next().then(({ value }) => value)
  socket.write('ko')
  await timesPassed(t, server, 12)
  t.is(conn.readyState, 'open')
  socket.destroy()
})

test('the time of a message stands still while its connection is paused in the middle', async (t) => {
  const ended = gate<Error | undefined>()
  const opened = gate<Conn>()
  const server = await start(t, {
    codec: pairs,
    timeouts: { frame: TIME },
    message(conn) {
      conn.pause()
      opened.open(conn)
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('oko')
  const conn = await opened.passed
  await timesPassed(t, server)
  t.is(conn.readyState, 'open')
  conn.resume()
  t.is(codeOf(await ended.passed), 'ERR_FRAME_TIMEOUT')
  socket.destroy()
})

test('receive stands still while autoPause stops the reading', async (t) => {
  const full = gate<Conn>()
  const server = await start(t, {
    highWaterMark: 1024,
    maxWriteBuffer: 1 << 30,
    message(conn) {
      conn.write(Buffer.alloc(24 << 20))
      full.open(conn)
    },
  })
  const socket = await connect(server.port)
  socket.write('a request')
  const conn = await full.passed
  // Until the kernel takes no more, and everything else waits in the loop.
  for (let before = -1; conn.buffered !== before; await turns(100)) before = conn.buffered
  conn.setTimeouts({ receive: TIME })
  await timesPassed(t, server)
  t.is(conn.readyState, 'open')
  socket.destroy()
})

test('a limit can be set, changed and switched off while the connection is open', async (t) => {
  const opened = gate<Conn>()
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    codec: line(),
    open: (conn) => opened.open(conn),
    message() {},
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  conn.setTimeouts({ idle: TIME })
  conn.setTimeouts({ idle: 0 })
  await timesPassed(t, server)
  t.is(conn.readyState, 'open')
  conn.setTimeouts({ receive: TIME })
  t.is(codeOf(await ended.passed), 'ERR_RECEIVE_TIMEOUT')
  t.notThrows(() => conn.setTimeouts({ receive: TIME }))
  await closed(socket)
})

test('a limit for messages can be set when one has begun already', async (t) => {
  for (const codec of [pairs, defineCodec({ ...pairs, framing: line() })]) {
    const began = gate<Conn>()
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      codec,
      message: (conn) => began.open(conn),
      close: (_conn, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    socket.write(codec === pairs ? 'oko' : 'ok\no')
    const conn = await began.passed
    conn.setTimeouts({ frame: TIME })
    t.is(codeOf(await ended.passed), 'ERR_FRAME_TIMEOUT')
    socket.destroy()
  }
})

test('the time for handlers can be set after the end of the input', async (t) => {
  const atEnd = gate<Conn>()
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    message: () => new Promise(() => {}),
    end: (conn) => atEnd.open(conn),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hello')
  const conn = await atEnd.passed
  conn.setTimeouts({ handler: TIME })
  await readHalf(socket)
  t.is(codeOf(await ended.passed), 'ERR_HANDLER_TIMEOUT')
})

test('a promise that begins after the end of the input has its time, too', async (t) => {
  const atEnd = gate<Conn>()
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    allowHalfOpen: true,
    timeouts: { handler: TIME, idle: TIME },
    message() {},
    end: (conn) => atEnd.open(conn),
    idle: () => new Promise(() => {}),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hello')
  await atEnd.passed
  t.is(codeOf(await ended.passed), 'ERR_HANDLER_TIMEOUT')
})

test('the handler idle is not called again before its promise has settled', async (t) => {
  let calls = 0
  const opened = gate<Conn>()
  const server = await start(t, {
    open: (conn) => opened.open(conn),
    message() {},
    idle() {
      calls++
      return new Promise(() => {})
    },
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  conn.setTimeouts({ idle: TIME / 10 })
  await timesPassed(t, server)
  t.is(calls, 1)
  conn.destroy()
  socket.destroy()
})

test('connections to others have the limits of their own options', async (t) => {
  const server = await start(t, { message() {} })
  const ended = gate<Error | undefined>()
  const limited = {
    timeouts: { receive: TIME },
    close: (_: Conn, error?: Error) => ended.open(error),
  }
  const free = await dial(t, { to: server.port, message() {} })
  await dial(t, { to: server.port, message() {}, ...limited })
  const alsoFree = await dial(t, { to: server.port, message() {} })
  t.is(codeOf(await ended.passed), 'ERR_RECEIVE_TIMEOUT')
  t.deepEqual([free.readyState, alsoFree.readyState], ['open', 'open'])
})

test('a lifetime ends a connection whose peer does not read', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    lingerTimeout: TIME,
    maxWriteBuffer: 1 << 30,
    open(conn) {
      conn.write(Buffer.alloc(24 << 20))
      conn.setTimeouts({ maxLifetime: TIME })
    },
    message() {},
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('never read while autoPause stops us')
  t.is(codeOf(await ended.passed), 'ERR_MAX_LIFETIME')
  socket.destroy()
})

test('setTimeouts checks what it is given, and changes nothing if that is wrong', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, { open: (conn) => opened.open(conn), message() {} })
  const socket = await connect(server.port)
  const conn = await opened.passed
  for (const wrong of [{ idle: -1 }, { firstMessage: 5 }, { receive: TIME, idel: 5 }, 7, null]) {
    t.throws(() => conn.setTimeouts(wrong as object), { code: 'ERR_INVALID_OPTION' })
  }
  await timesPassed(t, server)
  t.is(conn.readyState, 'open')
  socket.destroy()
})
