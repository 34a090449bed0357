/** Piped connections: what crosses, how a pipe ends, and what it refuses. The sockets at both ends are Node's. */

import { once } from 'node:events'
import type net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import {
  type Conn,
  defineCodec,
  line,
  type PipeEnd,
  type PipeOptions,
  pipe,
  raw,
  type ServeOptions,
} from 'millrace'
import { closed, connect, read, readHalf } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20
const HALF = { allowHalfOpen: true }

/** Two accepted connections of one server, and their peers. */
async function pair(
  t: ExecutionContext,
  options: Partial<ServeOptions<Buffer, Uint8Array | string, undefined>> = {},
) {
  const codes = new Map<Conn, string | undefined>()
  const opened: Conn[] = []
  const both = gate()
  const over = gate()
  const server = await start(t, {
    ...HALF,
    ...options,
    open(conn) {
      opened.push(conn)
      if (opened.length === 2) both.open()
    },
    close(conn, error) {
      codes.set(conn, codeOf(error))
      if (codes.size === 2) over.open()
    },
  })
  const sockets = [await connect(server.port, HALF), await connect(server.port, HALF)] as const
  await both.passed
  const [a, b] = opened as [Conn, Conn]
  return { server, a, b, sockets, codes, over: over.passed }
}

test('bytes cross both ways, halves end apart, and the promise tells how many there were', async (t) => {
  const { a, b, sockets, codes, over } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.end('from the left')
  t.is((await readHalf(right)).toString(), 'from the left')
  t.is(a.readyState, 'writeOnly')
  right.end('and back again')
  t.is((await readHalf(left)).toString(), 'and back again')
  t.deepEqual(await piped, { forth: 13, back: 14, error: undefined })
  await over
  t.deepEqual([...codes.values()], [undefined, undefined])
})

test('what was received and not delivered goes first: pulled in part, with a message that is not complete', async (t) => {
  const words = defineCodec({
    framing: raw(),
    decode: (reader) => (reader.remaining < 4 ? undefined : reader.bytes(4)),
    encode: (message: Uint8Array | string, writer) => writer.bytes(Buffer.from(message)),
  })
  const { a, b, sockets } = await pair(t, { codec: words })
  const [left, right] = sockets
  left.write('PROXgivethisto')
  const messages = a[Symbol.asyncIterator]()
  t.is(String((await messages.next()).value), 'PROX')
  void pipe(a, b)
  left.end('theother')
  t.is((await readHalf(right)).toString(), 'givethistotheother')
  await t.throwsAsync(messages.next(), { code: 'ERR_PIPED' })
})

test('what was received and not delivered goes first: pushed, from inside the handler', async (t) => {
  const other = gate<Conn>()
  const server = await start(t, {
    ...HALF,
    codec: defineCodec({
      framing: raw(),
      decode: (reader) => (reader.remaining < 4 ? undefined : reader.bytes(4)),
      encode: (message: Uint8Array | string, writer) => writer.bytes(Buffer.from(message)),
    }),
    message(conn, word) {
      if (String(word) === 'wait') other.open(conn)
      else void other.passed.then(() => {})
      if (String(word) !== 'wait') void pipe(conn, held)
    },
  })
  const right = await connect(server.port, HALF)
  right.write('wait')
  const held = await other.passed
  const left = await connect(server.port, HALF)
  left.end('headand the rest of it')
  t.is((await readHalf(right)).toString(), 'and the rest of it')
})

test('a paused connection that is piped goes on, with what was parked in front', async (t) => {
  const { a, b, sockets } = await pair(t, { message() {}, maxParked: 1 })
  const [left, right] = sockets
  a.pause()
  left.write('parked, ')
  left.end('and not')
  void pipe(a, b)
  t.is((await readHalf(right)).toString(), 'parked, and not')
})

test('a piped connection refuses what the pipe does', async (t) => {
  const { server, a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  for (const conn of [a, b]) {
    t.throws(() => conn.write('no'), { code: 'ERR_PIPED' })
    t.throws(() => conn.end('no'), { code: 'ERR_PIPED' })
    t.throws(() => conn.pause(), { code: 'ERR_PIPED' })
    t.throws(() => Object.assign(conn, { codec: raw() }), { code: 'ERR_PIPED' })
    await t.throwsAsync(conn[Symbol.asyncIterator]().next(), { code: 'ERR_PIPED' })
    t.is(conn.readyState, 'open')
  }
  t.is(server.broadcast('to nobody'), 0)
  await t.throwsAsync(pipe(a, b), { code: 'ERR_PIPED' })
  left.end()
  right.end('still here')
  t.is((await readHalf(left)).toString(), 'still here')
  await piped
  t.false(a.write('no'))
})

test('pipe refuses what it cannot join, and leaves both as they were', async (t) => {
  const { a, b, sockets } = await pair(t)
  const { a: framed } = await pair(t, { codec: line() })
  const { a: ended, sockets: others } = await pair(t)
  ended.end()
  for (const [first, second, options, code] of [
    [a, a, {}, 'ERR_INVALID_OPTION'],
    [a, {} as Conn, {}, 'ERR_INVALID_OPTION'],
    [undefined as never, b, {}, 'ERR_INVALID_OPTION'],
    [a, framed, {}, 'ERR_UNSUPPORTED'],
    [ended, b, {}, 'ERR_CLOSED'],
    [a, b, { half: 'yes' }, 'ERR_INVALID_OPTION'],
    [a, b, { halv: true }, 'ERR_INVALID_OPTION'],
    [a, b, { signal: 5 }, 'ERR_INVALID_OPTION'],
  ] as [Conn, Conn, PipeOptions, string][]) {
    await t.throwsAsync(pipe(first, second, options), { code })
  }
  const aborted = pipe(a, b, { signal: AbortSignal.abort() }).catch(({ name }) => name)
  t.is(await aborted, 'AbortError')
  a.write('untouched')
  t.is(String(await read(sockets[0], 9)), 'untouched')
  for (const socket of [...sockets, ...others]) socket.destroy()
})

test('a connection that was closed before the call ends the other one', async (t) => {
  for (const [lose, code, told] of [
    [(a: Conn) => a.close(), undefined, undefined],
    [
      (a: Conn) => a.destroy(Object.assign(new Error(), { code: 'MINE' })),
      'MINE',
      'ERR_PIPE_BROKEN',
    ],
  ] as const) {
    const { a, b, sockets, codes, over } = await pair(t)
    lose(a)
    const piped = pipe(a, b)
    for (const socket of sockets) socket.resume().end()
    const { forth, back, error } = await piped
    t.deepEqual([forth, back, codeOf(error)], [0, 0, code])
    await over
    t.is(codes.get(b), told)
  }
})

test('with half: false the first end closes both', async (t) => {
  const { a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b, { half: false })
  const [atLeft, atRight] = [readHalf(left), readHalf(right)]
  left.end('the last word')
  t.is((await atRight).toString(), 'the last word')
  t.is((await atLeft).toString(), '')
  right.end()
  t.deepEqual(await piped, { forth: 13, back: 0, error: undefined })
})

test('an abort destroys both, and the promise rejects with the reason', async (t) => {
  const { a, b, sockets, over } = await pair(t)
  const abort = new AbortController()
  const piped = pipe(a, b, { signal: abort.signal })
  abort.abort(new Error('enough'))
  await t.throwsAsync(piped, { message: 'enough' })
  await over
  for (const socket of sockets) socket.destroy()
})

/** What ends one side, and what the other side's peer and the promise are told. */
const LOSSES: [
  name: string,
  lose: (a: Conn, left: net.Socket) => void,
  code: string | undefined,
][] = [
  ['the peer resets', (_a, left) => void left.resetAndDestroy(), 'ECONNRESET'],
  ['the user resets with an error', (a) => a.reset(new Error('mine')), undefined],
  ['the user destroys', (a) => a.destroy(), undefined],
]
for (const [name, lose, code] of LOSSES) {
  test(`the other side is reset if ${name}`, async (t) => {
    const { a, b, sockets, codes, over } = await pair(t)
    const [left, right] = sockets
    const piped = pipe(a, b)
    left.write('x')
    await read(right, 1)
    const reset = new Promise((resolve) => right.on('error', (error) => resolve(codeOf(error))))
    right.resume()
    lose(a, left)
    t.is(await reset, 'ECONNRESET')
    t.is(codeOf((await piped).error), code)
    await over
    t.is(codes.get(b), 'ERR_PIPE_BROKEN')
    left.destroy()
  })
}

test('connections of one loop are piped without a record for each chunk', async (t) => {
  const { server, a, b, sockets } = await pair(t, { loops: ONE })
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.write('x')
  await once(right, 'data')
  const records = () => server.stats().loops.reduce((sum, loop) => sum + loop.recordsIn, 0)
  const before = records()
  right.resume()
  left.end(Buffer.alloc(32 * MIB))
  await once(right, 'end')
  t.true(records() - before < 64, `${records() - before} records`)
  right.end()
  left.resume()
  t.deepEqual(await piped, { forth: 32 * MIB + 1, back: 0, error: undefined })
})

test('buffered counts what the other side has sent and the peer has not taken, and it is bounded', async (t) => {
  const { a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.write(Buffer.alloc(64 * MIB))
  // The kernel takes no more of it, and the left side is not read any more.
  for (let before = -1; b.buffered === 0 || b.buffered !== before; await turns(100))
    before = b.buffered
  t.true(b.buffered <= 4 * MIB, `${b.buffered} bytes`)
  t.is(a.buffered, 0)
  right.resume()
  left.end()
  await once(right, 'end')
  right.end()
  left.resume()
  t.is((await piped).forth, 64 * MIB)
})

for (const where of ['one loop', 'two loops'] as const) {
  test(`a peer that sends back all it gets, and one that reads late, do not wait for each other: ${where}`, async (t) => {
    const pairs = await Promise.all([pair(t, { loops: ONE }), pair(t, { loops: ONE })])
    const [{ a, sockets }, other] = pairs
    const b = where === 'one loop' ? pairs[0].b : other.a
    const [left, right] = [sockets[0], where === 'one loop' ? sockets[1] : other.sockets[0]]
    const piped = pipe(a, b)
    right.pipe(right)
    const body = bodyOf(16 * MIB, 0)
    left.end(body)
    // Until nobody takes any more.
    for (let before = -1; left.bytesWritten === 0 || a.bytesRead !== before; await turns(500))
      before = a.bytesRead
    t.true((await readHalf(left)).equals(body))
    t.deepEqual(await piped, { forth: 16 * MIB, back: 16 * MIB, error: undefined })
    for (const socket of [...sockets, ...other.sockets]) socket.destroy()
  })
}

test('with half: false, what had come from both sides before the call is sent', async (t) => {
  for (const isReversed of [false, true]) {
    const { a, b, sockets } = await pair(t)
    const [left, right] = sockets
    right.write('a banner')
    left.end()
    const atLeft = readHalf(left)
    // Until both have arrived here.
    while (b.bytesRead < 8 || a.readyState === 'open') await turns(1)
    const piped = isReversed ? pipe(b, a, { half: false }) : pipe(a, b, { half: false })
    t.is((await atLeft).toString(), 'a banner')
    right.resume().end()
    const { forth, back } = await piped
    t.deepEqual([forth, back], isReversed ? [8, 0] : [0, 8])
  }
})

test('two peers that both send and never read are idle, and a lifetime ends them', async (t) => {
  for (const [timeouts, code] of [
    [{ idle: 100 }, 'ERR_IDLE_TIMEOUT'],
    [{ maxLifetime: 100 }, undefined],
  ] as const) {
    const { a, b, sockets, over, codes } = await pair(t, { lingerTimeout: 200 })
    const [left, right] = sockets
    left.write(Buffer.alloc(32 * MIB))
    right.write(Buffer.alloc(32 * MIB))
    for (const conn of [a, b]) conn.setTimeouts(timeouts)
    const { error } = await pipe(a, b)
    await over
    if (code !== undefined) t.is(codeOf(error), code)
    t.is(codes.size, 2)
    for (const socket of sockets) socket.destroy()
  }
})

test('a dead side is noticed while the other side does not read', async (t) => {
  const { a, b, sockets, codes, over } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.write(Buffer.alloc(32 * MIB))
  // The kernel takes no more of it, and the left side is not read any more.
  for (let before = -1; b.buffered === 0 || b.buffered !== before; await turns(100))
    before = b.buffered
  left.resetAndDestroy()
  t.is(codeOf((await piped).error), 'ECONNRESET')
  await over
  t.is(codes.get(b), 'ERR_PIPE_BROKEN')
  right.destroy()
})

test('the counts of a piped connection are its own, however much is passed on', async (t) => {
  const { a, b, sockets } = await pair(t)
  const [left, right] = sockets
  b.write('mine, ')
  const piped = pipe(a, b)
  const flushed = b.flushed()
  left.write(Buffer.alloc(16 * MIB))
  for (let looks = 0; looks < 500; looks++) {
    t.true(b.buffered >= 0 && b.buffered <= 16 * MIB, `${b.buffered}`)
    await turns(1)
  }
  await flushed
  t.is(b.bytesWritten, 6)
  right.resume()
  left.end()
  await once(right, 'end')
  right.end()
  left.resume()
  t.is((await piped).forth, 16 * MIB)
})

test('the time that handlers have does not end a pipe', async (t) => {
  const piped = gate()
  const server = await start(t, {
    ...HALF,
    timeouts: { handler: 100 },
    async message(conn) {
      if (held === undefined) return
      // The end of the input has come by then, and the time runs.
      await ended.passed
      void pipe(conn, held)
      piped.open()
    },
    open(conn) {
      if (held === undefined) held = conn
    },
    end: () => ended.open(),
  })
  let held: Conn | undefined
  const ended = gate()
  const right = await connect(server.port, HALF)
  while (held === undefined) await turns(1)
  const left = await connect(server.port, HALF)
  left.end('hello')
  await piped.passed
  const clock = gate()
  const other = await start(t, {
    loops: server,
    timeouts: { idle: 300 },
    message() {},
    close: () => clock.open(),
  })
  await connect(other.port)
  await clock.passed
  right.end('late')
  t.is((await readHalf(left)).toString(), 'late')
})

test('close on one side sends what both have, and closes the other side too', async (t) => {
  const { a, b, sockets, over } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  const both = [readHalf(left), readHalf(right)]
  left.write('x')
  await once(right, 'data')
  a.close()
  await Promise.all(both)
  left.end()
  right.end()
  await over
  t.is((await piped).error, undefined)
})

test('a limit in time of one side ends the pipe', async (t) => {
  const { a, b, sockets, codes, over } = await pair(t)
  const piped = pipe(a, b)
  a.setTimeouts({ idle: 50 })
  t.is(codeOf((await piped).error), 'ERR_IDLE_TIMEOUT')
  await over
  t.deepEqual([codes.get(a), codes.get(b)], ['ERR_IDLE_TIMEOUT', 'ERR_PIPE_BROKEN'])
  for (const socket of sockets) socket.destroy()
})

test('a server that closes ends the input of its piped connections and waits for the rest', async (t) => {
  const { server, a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.write('a question')
  t.is(String(await read(right, 10)), 'a question')
  const closing = server.close()
  const [fromRight, fromLeft] = [readHalf(left), readHalf(right)]
  await Promise.all([fromRight, fromLeft])
  left.end()
  right.end()
  await closing
  t.is((await piped).error, undefined)
})

for (const kind of ['tcp', 'unix']) {
  test(`a pairing relay of accepted connections moves 8 MiB both ways with the defaults: ${kind}`, async (t) => {
    const path = freePath(t)
    const listen = kind === 'unix' ? `unix://${path}` : 'tcp://127.0.0.1:0'
    let waiting: Conn | undefined
    const ends = gate<PipeEnd>()
    const server = await start(t, {
      listen,
      ...HALF,
      open(conn) {
        if (waiting === undefined) waiting = conn
        else void pipe(waiting, conn).then(ends.open)
      },
    })
    const to = kind === 'unix' ? path : server.port
    const [left, right] = [await connect(to, HALF), await connect(to, HALF)]
    const body = bodyOf(8 * MIB, 0)
    left.end(body)
    right.end(body)
    const [atLeft, atRight] = await Promise.all([readHalf(left), readHalf(right)])
    t.true(atLeft.equals(body) && atRight.equals(body))
    t.deepEqual(await ends.passed, { forth: 8 * MIB, back: 8 * MIB, error: undefined })
    await Promise.all([closed(left), closed(right)])
  })
}
