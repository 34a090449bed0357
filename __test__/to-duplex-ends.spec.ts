/** How streams of connections end: in good order, destroyed, reset, lost, by the server and by limits in time. */

import { once } from 'node:events'
import test from 'ava'
import { type ConnStream, line, toDuplex } from 'millrace'
import { connect, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { gone, patterned, streamed, streamOf } from './support/streams.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

test('destroy closes the connection, with or without an error', async (t) => {
  const first = await streamed(t)
  const got = readHalf(first.socket)
  first.stream.destroy()
  await gone(first.stream)
  t.deepEqual(first.events, ['close'])
  t.is(await first.over, undefined)
  t.is((await got).toString(), '')

  const second = await streamed(t)
  second.stream.destroy(Object.assign(new Error('had enough'), { code: 'ENOUGH' }))
  await gone(second.stream)
  t.deepEqual(second.events, ['error ENOUGH', 'close'])
  t.is(await second.over, 'ENOUGH')
  second.socket.destroy()
})

test('resetAndDestroy resets the connection', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  const failed = once(socket, 'error').catch((error) => [error])
  stream.resetAndDestroy()
  await gone(stream)
  t.deepEqual(events, ['close'])
  t.is(await over, undefined)
  const [error] = await failed
  t.is(codeOf(error), 'ECONNRESET')
})

test('a reset of the peer is an error of the stream', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  socket.resetAndDestroy()
  await gone(stream)
  t.deepEqual(events, ['error ECONNRESET', 'close'])
  t.is(await over, 'ECONNRESET')
})

test('a write to a peer that was lost ends with its error, and never with success', async (t) => {
  const { stream, socket, events } = await streamed(t)
  const written = new Promise<string | undefined>((resolve) => {
    stream.write(patterned(64 * MIB), (error) => resolve(codeOf(error)))
  })
  socket.resetAndDestroy()
  t.true(['ECONNRESET', 'EPIPE'].includes((await written) ?? ''))
  await gone(stream)
  t.regex(events.join(), /^error (ECONNRESET|EPIPE),close$/)
})

test('destroySoon sends what was written, and drops what arrives', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  const body = patterned(8 * MIB)
  stream.write(body)
  stream.destroySoon()
  socket.write(patterned(MIB))
  t.true(body.equals(await readHalf(socket)))
  socket.end()
  await gone(stream)
  t.deepEqual(events, ['finish', 'close'])
  t.is(await over, undefined)
})

test('destroySoon of a stream that has finished closes the connection', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  stream.end('bye')
  await once(stream, 'finish')
  stream.destroySoon()
  stream.destroySoon()
  t.is((await readHalf(socket)).toString(), 'bye')
  socket.end()
  await gone(stream)
  t.deepEqual(events, ['finish', 'close'])
  t.is(await over, undefined)
})

test('destroy does not wait for what destroySoon still sends', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  stream.write(patterned(64 * MIB))
  stream.destroySoon()
  stream.destroy()
  await gone(stream)
  t.deepEqual(events, ['close'])
  t.is(await over, undefined)
  socket.destroy()
})

test('a connection that its user destroys closes the stream', async (t) => {
  const { stream, conn, socket, events } = await streamed(t)
  const got = readHalf(socket)
  conn.destroy()
  stream.write('too late, and nobody is to blame')
  await gone(stream)
  t.deepEqual(events, ['close'])
  t.is((await got).toString(), '')

  const other = await streamed(t)
  other.conn.destroy(Object.assign(new Error('had enough'), { code: 'ENOUGH' }))
  await gone(other.stream)
  t.deepEqual(other.events, ['error ENOUGH', 'close'])
  other.socket.destroy()
})

test('a connection that its user ends or closes ends the stream', async (t) => {
  const { stream, conn, socket, events, over } = await streamed(t)
  stream.write('all of it')
  conn.end()
  t.is((await readHalf(socket)).toString(), 'all of it')
  t.false(stream.writable)
  socket.end()
  stream.resume()
  await gone(stream)
  t.deepEqual(events, ['finish', 'end', 'close'])
  t.is(await over, undefined)

  const other = await streamed(t)
  other.stream.resume()
  other.stream.write('all of it')
  other.conn.close()
  t.is((await readHalf(other.socket)).toString(), 'all of it')
  other.socket.end()
  await gone(other.stream)
  t.deepEqual(other.events.sort(), ['close', 'end', 'finish'])
  t.is(await other.over, undefined)
})

test('a write after the connection was ended underneath is an error', async (t) => {
  const { stream, conn, socket, events } = await streamed(t, { highWaterMark: 1 })
  stream.write(patterned(16 * MIB))
  conn.end()
  socket.resume()
  await gone(stream)
  t.deepEqual(events, ['error ERR_CLOSED', 'close'])
  socket.destroy()
})

test('what was received before the end can be read after the connection has closed', async (t) => {
  const { stream, conn, socket, events, over } = await streamed(t)
  socket.end('read me later')
  await once(stream, 'readable')
  conn.close()
  t.is(await over, undefined)
  t.deepEqual(events, ['finish'])
  t.is((await readHalf(stream)).toString(), 'read me later')
  await gone(stream)
  t.deepEqual(events, ['finish', 'end', 'close'])
})

test('a connection that closes before its stream begins ends it', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    ...HALF,
    open(conn) {
      const stream = streamOf(conn)
      conn.close()
      void readHalf(stream).then((bytes) => got.open(bytes.toString()))
    },
  })
  const socket = await connect(server.port, HALF)
  socket.end('dropped')
  t.is(await got.passed, '')
  t.is((await readHalf(socket)).toString(), '')
})

test('a server that closes ends the input, and waits for what the stream still writes', async (t) => {
  const { server, stream, socket, events, over } = await streamed(t)
  stream.resume()
  const closing = server.close()
  await once(stream, 'end')
  stream.write('in ')
  await turns(5)
  stream.end('flight')
  t.is((await readHalf(socket)).toString(), 'in flight')
  socket.end()
  await closing
  await gone(stream)
  t.deepEqual(events, ['end', 'finish', 'close'])
  t.is(await over, undefined)
})

test('a server whose time to close is over destroys its streams', async (t) => {
  const { server, stream, socket, events, over } = await streamed(t)
  await server.close({ timeout: 0 })
  await gone(stream)
  t.deepEqual(events.slice(-2), ['error ERR_CLOSE_TIMEOUT', 'close'])
  t.is(await over, 'ERR_CLOSE_TIMEOUT')
  socket.destroy()
})

test('setTimeout emits timeout, once, and anything that moves begins it again', async (t) => {
  const { stream, socket, events } = await streamed(t)
  t.is(stream.timeout, undefined)
  const passed = gate()
  t.is(stream.setTimeout(1, passed.open), stream)
  await passed.passed
  t.deepEqual(events, ['timeout'])
  t.is(stream.timeout, 1)
  const again = once(stream, 'timeout')
  socket.write('x')
  stream.resume()
  await again
  const third = once(stream, 'timeout')
  stream.write('y')
  await third
  stream.setTimeout(1_000_000, passed.open)
  stream.setTimeout(0, passed.open)
  t.is(stream.timeout, 0)
  t.is(stream.listenerCount('timeout'), 1)
  for (const wrong of [-1, Number.NaN, '5' as never]) {
    t.throws(() => stream.setTimeout(wrong), { code: 'ERR_INVALID_OPTION' })
  }
  stream.destroy()
  t.is(stream.setTimeout(1), stream)
  await gone(stream)
  t.deepEqual(events, ['timeout', 'timeout', 'timeout', 'close'])
})

test('the connection’s own limit of silence ends a stream that is read', async (t) => {
  const { stream, socket, events } = await streamed(t, { timeouts: { idle: 20 } })
  stream.resume()
  await gone(stream)
  t.deepEqual(events, ['error ERR_IDLE_TIMEOUT', 'close'])
  socket.destroy()
})

test('the limits of silence stand still while the stream has enough', async (t) => {
  const { stream, conn, socket, events } = await streamed(t)
  const body = patterned(64 * MIB)
  socket.end(body)
  for (let before = -1; stream.bytesRead !== before || before === 0; await turns(50))
    before = stream.bytesRead
  conn.setTimeouts({ idle: 20, receive: 20 })
  // Others have as much time, one after the other, and it ends.
  for (let round = 0; round < 3; round++) {
    const silent = await streamed(t)
    silent.stream.resume()
    silent.conn.setTimeouts({ idle: 20 })
    await gone(silent.stream)
    silent.socket.destroy()
  }
  t.deepEqual(events, [])
  conn.setTimeouts({ idle: 0, receive: 0 })
  t.true(body.equals(await readHalf(stream)))
  stream.end()
})

test('the limit of silence stands still while the loop waits for JavaScript', async (t) => {
  const { stream, conn, socket, events } = await streamed(t)
  // Long, because a machine may be so busy that nothing moves for a while.
  conn.setTimeouts({ idle: 500 })
  const body = patterned(32 * MIB)
  let size = 0
  let chunks = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    // Nothing can move meanwhile, because the ring is full.
    if (++chunks % 40 === 0 && chunks <= 80)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200)
  })
  socket.end(body)
  await once(stream, 'end')
  t.is(size, body.length)
  conn.setTimeouts({ idle: 0 })
  t.deepEqual(events, ['end'])
  stream.end()
})

test('a stream keeps a connection that is as old as it may be until it has ended', async (t) => {
  const { stream, socket, events, over } = await streamed(t, { timeouts: { maxLifetime: 20 } })
  stream.resume()
  if (!stream.readableEnded) await once(stream, 'end')
  stream.end('last words')
  t.is((await readHalf(socket)).toString(), 'last words')
  socket.end()
  await gone(stream)
  t.deepEqual(events, ['end', 'finish', 'close'])
  t.is(await over, 'ERR_MAX_LIFETIME')
})

test('toDuplex in the handler of a connection whose promise rejects later destroys the stream', async (t) => {
  const errors = gate<string | undefined>()
  const server = await start(t, {
    async open(conn) {
      const stream = toDuplex(conn)
      stream.on('error', (error) => errors.open(codeOf(error)))
      await Promise.resolve()
      throw Object.assign(new Error('had enough'), { code: 'ENOUGH' })
    },
    close() {},
  })
  const socket = await connect(server.port)
  t.is(await errors.passed, 'ENOUGH')
  socket.destroy()
})

test('what the last bytes set off comes before the end that came with them', async (t) => {
  const opened = gate<ConnStream>()
  const server = await start(t, { open: (conn) => opened.open(toDuplex(conn)) })
  const socket = await connect(server.port, HALF)
  socket.end('question')
  const stream = await opened.passed
  const events: string[] = []
  stream.on('end', () => events.push('end'))
  stream.on('data', async () => {
    for (let step = 0; step < 5; step++) await undefined
    events.push(stream.writable ? 'writable' : 'too late')
    stream.write('answer')
  })
  t.is(String(await readHalf(socket)), 'answer')
  t.deepEqual(events, ['writable', 'end'])
})

for (const when of ['at once', 'in a later turn', 'by who reads'] as const) {
  test(`what was received before close can be read behind it: closed ${when}`, async (t) => {
    const got = gate<string>()
    const server = await start(t, {
      codec: line(),
      message(conn) {
        const stream = toDuplex(conn)
        const close = () => conn.close()
        let text = ''
        stream.on('readable', () => {
          if (when === 'by who reads') close()
          for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk
        })
        stream.once('end', () => got.open(text))
        // Behind that of the stream, which pushes what is here.
        if (when === 'at once') queueMicrotask(close)
        if (when === 'in a later turn') setImmediate(close)
      },
    })
    const socket = await connect(server.port, { allowHalfOpen: true })
    socket.resume()
    // Each line is a chunk of its own.
    socket.write('go\na\nb\nc\nd\n')
    t.is(await got.passed, 'a\nb\nc\nd\n')
    socket.end()
  })
}
