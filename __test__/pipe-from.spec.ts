/** Writing all messages of a source. */

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type Codec, type Conn, type FrameData, line, pipe, pipeFrom, raw } from 'millrace'
import { connectHalfOpen, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Collects garbage, and waits until what was collected is told. */
async function collected(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    if (globalThis.gc === undefined) throw new Error('needs --expose-gc')
    globalThis.gc()
    await turns(5)
  }
}

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

for (const [name, options, lose] of [
  ['its peer resets it', {}, (socket: Socket) => socket.resetAndDestroy()],
  ['its time is over', { timeouts: { receive: 1 }, message() {} }, () => {}],
] as const) {
  test(`a source is closed though it is silent, as soon as the connection is lost: ${name}`, async (t) => {
    const codes = [gate<string | undefined>(), gate<string | undefined>()] as const
    const opened = gate<Conn>()
    const silent = new Readable({ read() {} })
    const server = await start(t, {
      ...options,
      open(conn) {
        opened.open(conn)
        pipeFrom(conn, silent).catch((error) => codes[0].open(codeOf(error)))
      },
      close: (_, error) => codes[1].open(codeOf(error)),
    })
    const socket = await connectHalfOpen(server.port)
    await opened.passed
    lose(socket)
    const [told, closed] = await Promise.all(codes.map((code) => code.passed))
    t.is(told, closed)
    t.not(told, undefined)
    t.true(silent.destroyed)
    socket.destroy()
  })
}

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
  await t.throwsAsync(pipeFrom(conn, [7 as never]), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(pipeFrom(conn, [['a', 7 as never]]), {
    code: 'ERR_INVALID_OPTION',
  })
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

test('a source that is always ready leaves others their turn', async (t) => {
  const { conn, socket } = await single(t)
  socket.resume()
  const controller = new AbortController()
  let made = 0
  function* endless() {
    for (;;) {
      made++
      yield Buffer.alloc(1000)
    }
  }
  const piped = pipeFrom(conn, endless(), { signal: controller.signal })
  // A timer runs, though the source never waits.
  setTimeout(() => controller.abort(new Error('enough')), 50)
  await t.throwsAsync(piped, { message: 'enough' })
  t.true(made > 0)
  socket.destroy()
})

test('what has been sent is not kept, neither within a call nor after it', async (t) => {
  const { conn, socket } = await single(t)
  socket.resume()
  const alive = new Set<number>()
  const registry = new FinalizationRegistry<number>((number) => alive.delete(number))
  let count = 0
  const chunk = () => {
    const made = Buffer.allocUnsafeSlow(1000)
    registry.register(made, count)
    alive.add(count++)
    return made
  }
  async function* many() {
    for (let number = 0; number < 500; number++) yield chunk()
    await collected()
    within = alive.size
  }
  let within = Number.NaN
  await pipeFrom(conn, many(), { end: false })
  t.true(within < 50, `${within} of 500 were kept`)
  for (let call = 0; call < 500; call++) await pipeFrom(conn, [chunk()], { end: false })
  await collected()
  t.true(alive.size < 50, `${alive.size} were kept`)
  socket.destroy()
})

test('an output that is somebody else’s by now is not ended', async (t) => {
  const { conn, socket } = await single(t)
  const { conn: other, socket: its } = await single(t)
  const source = new Readable({ read() {} })
  const piped = pipeFrom(conn, source)
  const joined = pipe(conn, other)
  source.push(null)
  await t.throwsAsync(piped, { code: 'ERR_PIPED' })
  await t.throwsAsync(pipeFrom(conn, []), { code: 'ERR_PIPED' })
  t.is(conn.readyState, 'open')
  its.end('through')
  t.is(String(await readHalf(socket)), 'through')
  socket.end()
  await joined
})

test('a silent source is closed as soon as our half ends, and the connection does not wait for it', async (t) => {
  for (const how of ['end', 'close'] as const) {
    const { conn, socket } = await single(t)
    const silent = new Readable({ read() {} })
    const piped = pipeFrom(conn, silent)
    conn[how]()
    await t.throwsAsync(piped, { code: 'ERR_CLOSED' })
    t.true(silent.destroyed)
    socket.end()
    await readHalf(socket)
  }
})

test('messages that are promises are awaited, and a source that throws while it is closed hides nothing', async (t) => {
  const { conn, socket } = await single(t, line())
  await pipeFrom(conn, [Promise.resolve('a'), 'b'] as never, { end: false })
  await t.throwsAsync(pipeFrom(conn, [Promise.reject(new Error('mine'))] as never), {
    message: 'mine',
  })
  const source = {
    [Symbol.iterator]: () => ({ next: () => ({ done: false as const, value: 7 as never }) }),
    destroy() {
      throw new Error('not this one')
    },
  }
  await t.throwsAsync(pipeFrom(conn, source), { code: 'ERR_INVALID_OPTION' })
  conn.end('c')
  t.is(String(await readHalf(socket)), 'a\nb\nc\n')
  socket.end()
})
