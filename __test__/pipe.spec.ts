/** Piped connections: what crosses, and what they refuse. The sockets at both ends are Node's. */

import { once } from 'node:events'
import test from 'ava'
import { type Conn, defineCodec, type PipeEnd, type PipeOptions, pipe, raw } from 'millrace'
import { closed, connect, read, readHalf } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { HALF, pair } from './support/pipe.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

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

test('flushed waits for what the other side of the pipe has passed on', async (t) => {
  const { a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const piped = pipe(a, b)
  left.end(Buffer.alloc(32 * MIB))
  while (b.buffered === 0) await turns(1)
  let rounds = 0
  const flushing = (async () => {
    for (; b.buffered > 0 && rounds < 100_000; rounds++) await b.flushed()
  })()
  await turns(20)
  t.true(rounds < 1000, `${rounds} rounds in 20 turns`)
  t.is((await readHalf(right)).length, 32 * MIB)
  right.end()
  await flushing
  t.is((await piped).forth, 32 * MIB)
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
  // A closed connection refuses nothing.
  t.notThrows(() => a.pause())
  t.notThrows(() => Object.assign(a, { codec: raw() }))
})

test('pipe refuses what it cannot join, and leaves both as they were', async (t) => {
  const { a, b, sockets } = await pair(t)
  const { a: ended, sockets: others } = await pair(t)
  ended.end()
  for (const [first, second, options, code] of [
    [a, a, {}, 'ERR_INVALID_OPTION'],
    [a, {} as Conn, {}, 'ERR_INVALID_OPTION'],
    [undefined as never, b, {}, 'ERR_INVALID_OPTION'],
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
