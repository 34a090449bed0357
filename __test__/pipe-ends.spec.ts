/** How pipes end. The sockets at both ends are Node's. */

import { once } from 'node:events'
import type net from 'node:net'
import test from 'ava'
import { type Conn, pipe } from 'millrace'
import { connect, read, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { HALF, pair } from './support/pipe.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

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
  ['the user destroys', (a) => a.destroy(), 'ERR_PIPE_BROKEN'],
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

for (const kind of KINDS) {
  for (const end of ['destroy', 'reset'] as const) {
    for (const isFirst of [true, false]) {
      const side = isFirst ? 'first' : 'second'
      test(`${end}() of the ${side} side after close() is told by the promise, ${kind}`, async (t) => {
        const { a, b, sockets, over } = await pair(t, { listen: listenOn(t, kind) })
        const piped = pipe(a, b)
        const lost = isFirst ? a : b
        lost.close()
        lost[end]()
        for (const socket of sockets) socket.resume().end()
        t.is(codeOf((await piped).error), 'ERR_PIPE_BROKEN')
        await over
      })

      test(`${end}() of the ${side} side, closed last, is told by the promise, ${kind}`, async (t) => {
        const { a, b, sockets, codes } = await pair(t, { listen: listenOn(t, kind) })
        const piped = pipe(a, b)
        const [lost, other] = isFirst ? [a, b] : [b, a]
        lost.close()
        sockets[isFirst ? 1 : 0].resume().end()
        while (!codes.has(other)) await turns(1)
        lost[end]()
        t.is(codeOf((await piped).error), 'ERR_PIPE_BROKEN')
        for (const socket of sockets) socket.destroy()
      })

      test(`${end}() of the ${side} side before the call is told by the promise, ${kind}`, async (t) => {
        const { a, b, sockets, codes, over } = await pair(t, { listen: listenOn(t, kind) })
        const [lost, other] = isFirst ? [a, b] : [b, a]
        lost[end]()
        const { error } = await pipe(a, b)
        t.is(codeOf(error), 'ERR_PIPE_BROKEN')
        await over
        t.deepEqual([codes.get(lost), codes.get(other)], [undefined, 'ERR_PIPE_BROKEN'])
        for (const socket of sockets) socket.destroy()
      })
    }
  }
}

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

test('with half: false, what one side has still to send is sent, however the other one ends', async (t) => {
  const { a, b, sockets, codes, over } = await pair(t, { lingerTimeout: 200 })
  const [left, right] = sockets
  right.on('end', () => right.end())
  await b.setSocketOptions({ sendBuffer: 64 * 1024 })
  const body = Buffer.alloc(8 * MIB, 'x')
  const piped = pipe(a, b, { half: false })
  left.write(body)
  // Reads steadily, but no faster than the time of the left side, which never ends, is over.
  let got = 0
  right.on('data', (chunk: Buffer) => {
    got += chunk.length
    if (codes.has(a)) return
    right.pause()
    setImmediate(() => right.resume())
  })
  while (a.bytesRead < body.length) await turns(1)
  a.close()
  const { forth } = await piped
  await over
  t.is(codes.get(a), 'ERR_LINGER_TIMEOUT')
  t.is(codes.get(b), undefined)
  t.is(got, forth)
  for (const socket of sockets) socket.destroy()
})

for (const [name, lose] of [
  ['its peer resets it', (_, socket) => socket.resetAndDestroy()],
  ['it is destroyed', (b) => b.destroy()],
  ['it is reset', (b) => b.reset()],
] as [string, (b: Conn, socket: net.Socket) => void][]) {
  test(`flushed rejects for what the loop has passed on and could not send: ${name}`, async (t) => {
    const { a, b, sockets } = await pair(t)
    const [left, right] = sockets
    const piped = pipe(a, b)
    right.pause()
    left.write(Buffer.alloc(32 * MIB))
    // The kernel takes no more.
    for (let before = -1; b.buffered === 0 || b.buffered !== before; await turns(100))
      before = b.buffered
    const flushed = b.flushed()
    lose(b, right)
    await t.throwsAsync(flushed)
    await piped
    left.destroy()
    right.destroy()
  })
}
