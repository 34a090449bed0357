import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { type Conn, line } from 'millrace'
import { closed, connect, readAll } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'

const KIB = 1 << 10
const MIB = 1 << 20

test('a reply before end reaches a peer whose input was not read, and the connection is not reset', async (t) => {
  const ended = gate<Error | undefined>()
  const reply = 'the reply '.repeat(10_000)
  const server = await start(t, {
    message(conn) {
      conn.write(reply)
      conn.end()
    },
    close: (_, error) => ended.open(error),
  })
  // The client sends much more than the server reads, and reads only when all of it is sent.
  const socket = net.connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true })
  let failed: Error | undefined
  socket.on('error', (error) => {
    failed = error
  })
  await once(socket, 'connect')
  await new Promise((resolve) => socket.write(Buffer.alloc(MIB, 'x'), resolve))
  const got = await readAll(socket)
  socket.end()
  t.is(failed, undefined)
  t.true(got.equals(Buffer.from(reply)))
  t.is(await ended.passed, undefined)
})

test('no message comes after close, and the handler close has no error', async (t) => {
  let count = 0
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, string | Uint8Array>(t, {
    codec: line(),
    message(conn, text) {
      count++
      conn.close(`last ${text}`)
      t.is(conn.readyState, 'closing')
      t.false(conn.write('never'))
      conn.end('never')
      conn.close('never')
    },
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('a\nb\nc\n')
  t.is((await readAll(socket)).toString(), 'last a\n')
  t.is(await ended.passed, undefined)
  t.is(count, 1)
})

test('end sends everything that was written, even if the peer reads late', async (t) => {
  const piece = Buffer.alloc(MIB, 'x')
  const written = gate()
  const server = await start(t, {
    maxWriteBuffer: 64 * MIB,
    open(conn) {
      for (let at = 0; at < 20; at++) conn.write(piece)
      conn.end('!')
      written.open()
    },
  })
  const socket = await connect(server.port)
  await written.passed
  const got = await readAll(socket)
  t.is(got.length, 20 * MIB + 1)
  t.is(got.at(-1), 33)
})

test('replies of async handlers reach a client that has sent its FIN, in the order they settle', async (t) => {
  const held = new Map<string, () => void>()
  const all = gate()
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, string | Uint8Array>(t, {
    codec: line(),
    async message(conn, text) {
      await new Promise<void>((resolve) => {
        held.set(text.toString(), resolve)
        if (held.size === 3) all.open()
      })
      conn.write(`reply ${text}`)
    },
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.end('a\nb\nc\n')
  await all.passed
  // The FIN of another connection, sent later, has arrived: so this one has arrived too.
  const other = await connect(server.port)
  other.end()
  await closed(other.resume())
  for (const name of ['c', 'a', 'b']) held.get(name)?.()
  t.is((await readAll(socket)).toString(), 'reply c\nreply a\nreply b\n')
  t.is(await ended.passed, undefined)
})

test('the handler close is never called inside destroy, reset, close, end or write', async (t) => {
  const calls = [
    (conn: Conn) => conn.destroy(),
    (conn: Conn) => conn.end(),
    (conn: Conn) => conn.close(),
    (conn: Conn) => conn.reset(),
    (conn: Conn) => conn.write(Buffer.alloc(MIB)),
  ]
  for (const call of calls) {
    const order: string[] = []
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      highWaterMark: 1,
      maxWriteBuffer: 1,
      open(conn) {
        call(conn)
        order.push('returned')
        conn.destroy(new Error('too late or not'))
      },
      close(conn, error) {
        order.push(conn.readyState)
        ended.open(error)
      },
    })
    const socket = net.connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    await ended.passed
    t.deepEqual(order, ['returned', 'closed'])
    socket.destroy()
  }
})

test('the handler close gets the error of the first destroy, and a peer that reads sees the end', async (t) => {
  const ended = gate<Error | undefined>()
  const mine = new Error('mine')
  const server = await start(t, {
    message(conn) {
      conn.destroy(mine)
      conn.destroy(new Error('another'))
      t.is(conn.readyState, 'closed')
      t.false(conn.write('never'))
    },
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('x')
  t.is((await readAll(socket).catch(() => Buffer.alloc(0))).length, 0)
  t.is(await ended.passed, mine)
})

test('a reset reaches the handler close as ECONNRESET, even if the connection is paused', async (t) => {
  for (const isPaused of [false, true]) {
    const ended = gate<Error | undefined>()
    const received = gate()
    const server = await start(t, {
      message(conn) {
        if (isPaused) conn.pause()
        received.open()
      },
      close: (_, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    socket.write('x')
    await received.passed
    socket.resetAndDestroy()
    const error = await ended.passed
    t.is(codeOf(error), 'ECONNRESET')
    t.is((error as NodeJS.ErrnoException).syscall, 'socket')
  }
})

for (const how of ['destroy', 'reset'] as const) {
  test(`what waits for room in the ring of the loop is dropped: ${how}`, async (t) => {
    const ringBytes = 64 * KIB
    const server = await start(t, {
      loops: ONE,
      ringBytes,
      maxWriteBuffer: 64 * MIB,
      message(conn) {
        conn.write(Buffer.alloc(32 * MIB))
        conn[how]()
      },
    })
    const socket = await connect(server.port)
    socket.resume().write('x')
    await closed(socket)
    // The ring was taken once or twice by then.
    t.true(socket.bytesRead < 8 * ringBytes, `${socket.bytesRead} bytes came`)
  })
}
