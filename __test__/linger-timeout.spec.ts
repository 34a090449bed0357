/** Connections that close without progress, or that nobody pulls from, end after `lingerTimeout`. */

import test from 'ava'
import { type Conn, line, type Server } from 'millrace'
import { connect, connectHalfOpen, read, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { lingerPassed } from './support/linger.js'
import { start } from './support/serve.js'

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

for (const [name, options] of Object.entries({
  'does not end': { write: 'bye' },
  'does not read': { write: Buffer.alloc(16 * MIB) },
})) {
  test(`a closing connection whose peer ${name} is closed with ERR_LINGER_TIMEOUT`, async (t) => {
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      lingerTimeout: 50,
      maxWriteBuffer: 64 * MIB,
      open: (conn) => conn.close(options.write),
      close: (_, error) => ended.open(error),
    })
    const socket = await connectHalfOpen(server.port)
    if (options.write === 'bye') t.is((await read(socket, 3)).toString(), 'bye')
    t.is(codeOf(await ended.passed), 'ERR_LINGER_TIMEOUT')
    socket.destroy()
  })
}
