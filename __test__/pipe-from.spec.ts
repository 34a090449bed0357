/** Writing all messages of a source. */

import { once } from 'node:events'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type Codec, type Conn, type FrameData, line, pipeFrom, raw } from 'millrace'
import { connectHalfOpen, readHalf } from './support/client.js'
import { gate } from './support/gate.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

async function single(t: ExecutionContext, codec: Codec<Buffer, FrameData> = raw()) {
  const opened = gate<Conn>()
  const server = await start(t, { ...HALF, codec, open: opened.open })
  const socket = await connectHalfOpen(server.port)
  return { conn: await opened.passed, socket }
}

async function* numbers(count: number, ended: () => void = () => {}) {
  try {
    for (let number = 0; number < count; number++) yield `${number}`
  } finally {
    ended()
  }
}

for (const [name, source] of [
  ['an array', () => ['0', '1', '2', '3']],
  ['a generator', () => new Set(['0', '1', '2', '3']).values()],
  ['an async generator', () => numbers(4)],
  ['a Readable', () => Readable.from(['0', '1', '2', '3'])],
] as const) {
  test(`every message of a source is a frame, and then our half ends: ${name}`, async (t) => {
    const { conn, socket } = await single(t, line())
    await pipeFrom(conn, source())
    t.is(String(await readHalf(socket)), '0\n1\n2\n3\n')
    socket.end()
  })
}

test('with end: false the connection goes on, and a message may have several parts', async (t) => {
  const { conn, socket } = await single(t, line())
  await pipeFrom(conn, [['a', Buffer.from('b')], 'c'], { end: false })
  conn.write('d')
  conn.end(['e', '', 'f'])
  t.is(String(await readHalf(socket)), 'ab\nc\nd\nef\n')
  socket.end()
})

test('a source is read no faster than the connection sends', async (t) => {
  const { conn, socket } = await single(t)
  let made = 0
  async function* chunks() {
    for (; made < 64; made++) yield Buffer.alloc(1 << 20)
  }
  const piped = pipeFrom(conn, chunks())
  for (let before = -1; made === 0 || made !== before; await turns(200)) before = made
  t.true(made < 32, `${made} MiB were taken`)
  socket.resume()
  await piped
  await once(socket, 'end')
  t.is(socket.bytesRead, 64 << 20)
  socket.end()
})

test('a source that fails rejects, and leaves the connection as it is', async (t) => {
  const { conn, socket } = await single(t)
  async function* fails() {
    yield 'one'
    throw new Error('no more')
  }
  await t.throwsAsync(pipeFrom(conn, fails()), { message: 'no more' })
  conn.end(', and on')
  t.is(String(await readHalf(socket)), 'one, and on')
  socket.end()
})

test('a connection that closes closes the source, even one that is silent', async (t) => {
  const ways: [string, (conn: Conn) => void][] = [
    ['destroy', (conn) => conn.destroy()],
    ['an error', (conn) => conn.destroy(new Error('mine'))],
  ]
  for (const [name, close] of ways) {
    const silent = new Readable({ read() {} })
    const { conn, socket } = await single(t)
    const piped = pipeFrom(conn, silent)
    close(conn)
    await t.throwsAsync(piped, name === 'destroy' ? { code: 'ERR_CLOSED' } : { message: 'mine' })
    t.true(silent.destroyed)
    socket.destroy()
  }
  const ended = gate()
  const { conn, socket } = await single(t)
  const piped = pipeFrom(conn, numbers(1e9, ended.open))
  conn.end()
  await t.throwsAsync(piped, { code: 'ERR_CLOSED' })
  await ended.passed
  socket.destroy()
})

test('a signal stops it, and a bad message rejects with what write throws', async (t) => {
  const { conn, socket } = await single(t, line())
  const controller = new AbortController()
  const silent = new Readable({ read() {} })
  const piped = pipeFrom(conn, silent, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(piped, { message: 'enough' })
  t.true(silent.destroyed)
  const before = pipeFrom(conn, numbers(1), { signal: controller.signal })
  await t.throwsAsync(before, { message: 'enough' })
  await t.throwsAsync(pipeFrom(conn, ['two\nlines']), { code: 'ERR_FRAME_INVALID' })
  await t.throwsAsync(pipeFrom(conn, [7 as never]), { instanceOf: TypeError })
  await t.throwsAsync(pipeFrom(conn, [['a', 7 as never]]), { instanceOf: TypeError })
  for (const [target, source, options] of [
    [{}, [], {}],
    [conn, 7, {}],
    [conn, 'text', {}],
    [conn, undefined, {}],
    [conn, [], { end: 1 }],
    [conn, [], { and: true }],
    [conn, [], { signal: true }],
  ] as never as [Conn, string[], object][]) {
    await t.throwsAsync(pipeFrom(target, source, options), { code: 'ERR_INVALID_OPTION' })
  }
  conn.end('goes on')
  t.is(String(await readHalf(socket)), 'goes on\n')
  socket.end()
})
