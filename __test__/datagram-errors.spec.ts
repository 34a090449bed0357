import test from 'ava'
import {
  defineCodec,
  json,
  lengthField,
  line,
  type MillraceError,
  map,
  type Reader,
  raw,
  type Writer,
} from 'millrace'
import { bound, LARGEST, peer } from './support/datagrams.js'
import { codeOf, gate, tally } from './support/gate.js'

/** The code, and the port that the datagram came from. */
type Told = readonly [code: string | undefined, port: number | undefined]

test('a datagram that decode refuses is dropped and reported, and the next one is delivered', async (t) => {
  const { all, hit } = tally<Told>(1)
  const { passed, open } = gate<unknown>()
  const socket = await bound(t, {
    codec: json(lengthField()),
    message: (_, message) => open(message),
    error: (error, _, info) => hit([codeOf(error), info?.port]),
  })
  const client = await peer(t)
  client.send('{ no json', socket.port)
  client.send('{"some":"json"}', socket.port)
  t.deepEqual(await passed, { some: 'json' })
  t.deepEqual(await all, [['ERR_FRAME_INVALID', client.port]])
  t.is(socket.readyState, 'open')
})

test('framing is ignored for datagrams: a datagram is one whole message', async (t) => {
  const socket = await bound(t, {
    codec: line(),
    message: (socket, message, info) => void socket.send(`[${message}]`, info),
  })
  const client = await peer(t)
  t.is(String(await client.ask('two\nlines\n', socket.port)), '[two\nlines\n]')
})

test('decode may drop a datagram, but must read the whole of any other', async (t) => {
  const { all, hit } = tally<Told>(1)
  const codec = defineCodec<string, string>({
    framing: raw().framing,
    decode(from) {
      const first = from.u8()
      if (first === 0x2d) {
        from.skip(from.remaining)
        return undefined
      }
      return String.fromCharCode(first)
    },
    encode: (message, to) => void to.text(message),
  })
  const socket = await bound(t, {
    codec,
    message: (socket, message, info) => void socket.send(message, info),
    error: (error, _, info) => hit([codeOf(error), info?.port]),
  })
  const client = await peer(t)
  client.send('-ignored', socket.port)
  client.send('ab', socket.port)
  t.is(String(await client.ask('c', socket.port)), 'c')
  t.deepEqual(await all, [['ERR_FRAME_NOT_CONSUMED', client.port]])
})

test('an empty datagram is invalid for a codec that reads a byte', async (t) => {
  const { all, hit } = tally<Told>(2)
  const socket = await bound<number, Uint8Array>(t, {
    codec: {
      framing: raw().framing,
      decode: (from) => from.u8(),
      encode: (message, to) => void to.bytes(message),
    },
    message: (socket, message, info) => void socket.send(Buffer.of(message), info),
    error: (error, _, info) => hit([codeOf(error), info?.port]),
  })
  const client = await peer(t)
  client.send('', socket.port)
  client.send('', socket.port)
  t.deepEqual(await client.ask('x', socket.port), Buffer.from('x'))
  t.deepEqual(new Set((await all).map(([code]) => code)), new Set(['ERR_FRAME_INVALID']))
})

test('decode may not be asynchronous', async (t) => {
  const { passed, open } = gate<string | undefined>()
  const socket = await bound(t, {
    codec: {
      framing: raw().framing,
      decode: async (from: Reader) => from.bytes(from.remaining),
      encode: (message: Uint8Array, to: Writer) => void to.bytes(message),
    },
    message: () => t.fail(),
    error: (error) => open(codeOf(error)),
  })
  const client = await peer(t)
  client.send('x', socket.port)
  t.is(await passed, 'ERR_DECODE_ASYNC')
})

test('map converts datagrams and can drop them', async (t) => {
  const numbers = map(
    raw(),
    (bytes) => (bytes.length === 0 ? undefined : bytes.length),
    (length: number) => Buffer.alloc(length),
  )
  const socket = await bound(t, {
    codec: numbers,
    message: (socket, length, info) => void socket.send(length + 1, info),
  })
  const client = await peer(t)
  client.send('', socket.port)
  t.is((await client.ask('abc', socket.port)).length, 4)
})

test("a handler's error is reported with the datagram's sender, and the socket goes on", async (t) => {
  const { all, hit } = tally<readonly [message: string, port: number | undefined]>(2)
  const socket = await bound(t, {
    message(socket, message, info) {
      if (String(message) === 'throw') throw new Error('thrown')
      if (String(message) === 'reject') return Promise.reject(new Error('rejected'))
      socket.send(message, info)
      return undefined
    },
    error: (error, _, info) => hit([error.message, info?.port]),
  })
  const client = await peer(t)
  client.send('throw', socket.port)
  client.send('reject', socket.port)
  t.is(String(await client.ask('fine', socket.port)), 'fine')
  t.deepEqual(await all, [
    ['thrown', client.port],
    ['rejected', client.port],
  ])
})

test.serial(
  'without an error handler each code is warned about at most once a second',
  async (t) => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    t.teardown(() => process.off('warning', note))
    const socket = await bound(t, {
      codec: json(line()),
      message: (socket, message, info) => void socket.send(message, info),
    })
    const client = await peer(t)
    for (let count = 0; count < 10; count++) client.send('{', socket.port)
    t.is(String(await client.ask('1', socket.port)), '1')
    // A warning is emitted at the next tick.
    await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(warnings.map(codeOf), ['ERR_FRAME_INVALID'])
  },
)

test('an error thrown by encode reaches the caller of send, and nothing is sent', async (t) => {
  const socket = await bound(t, {
    codec: json<unknown>(line()),
    message(socket, _, info) {
      t.throws(() => socket.send(undefined, info), { instanceOf: TypeError })
      socket.send('after', info)
    },
  })
  const client = await peer(t)
  t.is(String(await client.ask('1', socket.port)), '"after"')
  t.is(socket.stats().sent, 1)
})

test('a send inside encode is sent after the message being encoded', async (t) => {
  const socket = await bound<string, string>(t, {
    codec: {
      framing: raw().framing,
      decode: (from) => from.text(from.remaining),
      encode(message, to) {
        to.text(message.slice(0, 1))
        if (message === 'outer') socket.send('inner', peerAddress)
        to.text(message.slice(1))
      },
    },
    message() {},
  })
  const client = await peer(t)
  const peerAddress = `127.0.0.1:${client.port}`
  socket.send('outer', peerAddress)
  socket.send('last', peerAddress)
  t.is(String(await client.next()), 'outer')
  t.is(String(await client.next()), 'inner')
  t.is(String(await client.next()), 'last')
})

test('datagrams that the system refuses to send are reported, and the socket goes on', async (t) => {
  const { passed, open } = gate<Error>()
  let told = 0
  const socket = await bound(t, {
    message: (socket, message, info) => void socket.send(message, info),
    error: (error, _, info) => {
      t.is(info, undefined)
      // One error may stand for many datagrams, and all of them are counted.
      told += (error as MillraceError).count ?? Number.NaN
      if (told >= 1000) open(error)
    },
  })
  const client = await peer(t)
  // Nothing can be sent to port 0.
  for (let count = 0; count < 1000; count++) socket.send('x', '127.0.0.1:0')
  const error = await passed
  t.true(error instanceof Error)
  t.like(error, { code: 'EINVAL', syscall: 'send' })
  t.is(told, 1000)
  t.is(String(await client.ask('fine', socket.port)), 'fine')
  t.is(socket.stats().errors, 1000)
  t.is(socket.stats().sent, 1)
})

test('a datagram that fails does not affect others of the same batch', async (t) => {
  const socket = await bound(t, { message() {}, error() {} })
  const client = await peer(t)
  for (let at = 0; at < 100; at++) {
    socket.send(String(at), `127.0.0.1:${at % 3 === 1 ? 0 : client.port}`)
  }
  for (let at = 0; at < 100; at++) {
    if (at % 3 !== 1) t.is(String(await client.next()), String(at))
  }
  t.is(socket.stats().errors, 33)
})

test('datagrams over maxWriteBuffer are dropped and counted, and drain comes once', async (t) => {
  const size = Math.min(LARGEST, 500)
  const { passed, open } = gate()
  let drains = 0
  const socket = await bound(t, {
    highWaterMark: 4 * (size + 64),
    maxWriteBuffer: 8 * (size + 64),
    message: (socket, message, info) => void socket.send(message, info),
    drain() {
      drains++
      open()
    },
  })
  const client = await peer(t)
  const to = `127.0.0.1:${client.port}`
  // In one turn, so that the loop has seen none of it.
  const said = Array.from({ length: 20 }, () => socket.send(Buffer.alloc(size), to))
  t.deepEqual(said, [true, true, true, true, ...Array(16).fill(false)])
  // One more than the bound fits, because the bound is checked before a message is encoded.
  t.is(socket.stats().discarded, 11)
  await passed
  t.true(socket.send('now', to))
  for (let count = 0; count < 9; count++) t.is((await client.next()).length, size)
  t.is(String(await client.next()), 'now')
  t.is(drains, 1)
  t.is(socket.stats().sent, 10)
})
