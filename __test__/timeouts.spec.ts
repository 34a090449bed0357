/** Limits in time: what ends when, and with which code. */

import test from 'ava'
import { defineCodec, lengthField, line, raw, type ServeOptions, type Timeouts } from 'millrace'
import { connect, connectHalfOpen, readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Short, but long enough that a busy machine does not make a peer late that is not. */
const TIME = 150

/** Long enough that even a busy machine is not late. */
const LONG = 1000

/** A codec that makes messages of two bytes out of a raw stream. */
const pairs = defineCodec({
  framing: raw(),
  decode: (reader) => (reader.remaining < 2 ? undefined : reader.bytes(2).toString()),
  encode: (message: string, writer) => writer.bytes(Buffer.from(message)),
})

/** Serves one peer, which sends `bytes` and then nothing. Returns with what it was closed, and after how long. */
async function endOf(
  t: Parameters<typeof start>[0],
  timeouts: Timeouts,
  bytes: string,
  options: Omit<ServeOptions<string, string, undefined>, 'listen'>,
): Promise<{ code: string | undefined; after: number }> {
  const ended = gate<Error | undefined>()
  const server = await start<string, string>(t, {
    loops: ONE,
    ...options,
    timeouts,
    close: (_conn, error) => ended.open(error),
  })
  const before = performance.now()
  const socket = await connect(server.port)
  // Without this it would not see a FIN, and leave its half open.
  if (timeouts.write === undefined) socket.resume()
  if (bytes !== '') socket.write(bytes)
  const code = codeOf(await ended.passed)
  const after = performance.now() - before
  socket.destroy()
  return { code, after }
}

const framed = defineCodec({
  framing: lengthField({ bytes: 1 }),
  decode: (reader) => reader.bytes(reader.remaining).toString(),
  encode: (message: string, writer) => writer.bytes(Buffer.from(message)),
})

for (const [kind, each, half] of [
  ['framed', framed, '\x05ab'],
  ['raw', pairs, 'a'],
] as const) {
  for (const mode of ['pushed', 'pulled'] as const) {
    const options =
      mode === 'pushed'
        ? { codec: each, message() {} }
        : {
            codec: each,
            async open(conn: AsyncIterable<string>) {
              for await (const _ of conn);
            },
          }

    test(`each time that ends closes with its own code: ${kind}, ${mode}`, async (t) => {
      for (const [timeouts, bytes, code] of [
        [{ idle: TIME }, '', 'ERR_IDLE_TIMEOUT'],
        [{ idle: TIME }, half, 'ERR_IDLE_TIMEOUT'],
        [{ receive: TIME }, '', 'ERR_RECEIVE_TIMEOUT'],
        [{ firstMessage: TIME }, '', 'ERR_FIRST_MESSAGE_TIMEOUT'],
        [{ firstMessage: TIME }, half, 'ERR_FIRST_MESSAGE_TIMEOUT'],
        [{ frame: TIME }, half, 'ERR_FRAME_TIMEOUT'],
        [{ frame: TIME, firstMessage: 10 * TIME }, half, 'ERR_FRAME_TIMEOUT'],
        [{ maxLifetime: TIME }, '', 'ERR_MAX_LIFETIME'],
      ] as const) {
        const end = await endOf(t, timeouts, bytes, options)
        t.is(end.code, code, JSON.stringify({ timeouts, bytes }))
        t.true(end.after >= TIME, `${code} after ${end.after} ms`)
      }
    })

    test(`a whole message ends the times of a message: ${kind}, ${mode}`, async (t) => {
      const whole = kind === 'framed' ? '\x02ok\x02ok' : 'okok'
      const timeouts = { frame: LONG, firstMessage: LONG, receive: 1.5 * LONG }
      const end = await endOf(t, timeouts, whole, options)
      t.is(end.code, 'ERR_RECEIVE_TIMEOUT')
    })

    test(`a message that trickles in is given up although bytes arrive: ${kind}, ${mode}`, async (t) => {
      const ended = gate<Error | undefined>()
      const server = await start<string, string>(t, {
        ...options,
        codec: defineCodec({
          framing: kind === 'framed' ? lengthField({ bytes: 1 }) : raw(),
          decode: (reader) => (reader.remaining < 200 ? undefined : reader.bytes(200).toString()),
          encode: (message: string, writer) => writer.bytes(Buffer.from(message)),
        }),
        timeouts: { frame: TIME },
        close: (_conn, error) => ended.open(error),
      })
      const socket = await connect(server.port)
      socket.on('error', () => {})
      socket.write('\xc8', 'latin1')
      const trickle = setInterval(() => socket.write('x'), TIME / 10)
      t.is(codeOf(await ended.passed), 'ERR_FRAME_TIMEOUT')
      clearInterval(trickle)
      socket.destroy()
    })

    test(`messages that overlap in chunks are each timed on their own: ${kind}, ${mode}`, async (t) => {
      const ended = gate<Error | undefined>()
      const server = await start<string, string>(t, {
        ...options,
        timeouts: { frame: LONG, idle: LONG },
        close: (_conn, error) => ended.open(error),
      })
      const socket = await connect(server.port)
      socket.on('error', () => {})
      // Each chunk ends one message and begins the next, for longer than one message may take.
      const [head, middle, tail] = kind === 'framed' ? ['\x02o', 'k\x02o', 'k'] : ['o', 'ko', 'k']
      socket.write(head)
      const until = performance.now() + 1.5 * LONG
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          if (performance.now() < until) return void socket.write(middle)
          clearInterval(timer)
          socket.write(tail)
          resolve()
        }, LONG / 100)
      })
      t.is(codeOf(await ended.passed), 'ERR_IDLE_TIMEOUT')
      socket.destroy()
    })
  }
}

test('output that the peer does not take closes with ERR_WRITE_TIMEOUT', async (t) => {
  const end = await endOf(t, { write: TIME, idle: 60_000 }, '', {
    codec: pairs,
    maxWriteBuffer: 1 << 30,
    open: (conn) => conn.write('x'.repeat(24 << 20)),
  })
  t.is(end.code, 'ERR_WRITE_TIMEOUT')
})

test('handlers that do not settle after the end of the input close with ERR_HANDLER_TIMEOUT', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start<string, string>(t, {
    codec: pairs,
    timeouts: { handler: TIME },
    message(conn, text) {
      conn.write(text)
      return new Promise(() => {})
    },
    close: (_conn, error) => ended.open(error),
  })
  const before = performance.now()
  const socket = await connectHalfOpen(server.port)
  socket.end('hi')
  t.is((await readHalf(socket)).toString(), 'hi', 'what was written is sent')
  t.is(codeOf(await ended.passed), 'ERR_HANDLER_TIMEOUT')
  t.true(performance.now() - before >= TIME)
})

test('a promise of the handler end has its time, though an earlier one has not settled', async (t) => {
  const handler = 3000
  const ended = gate<Error | undefined>()
  const atEnd = gate()
  const [first, second] = [gate(), gate()]
  // A time that began with the process would be over.
  while (performance.now() < handler) await turns(1)
  const server = await start(t, {
    timeouts: { handler },
    message: async (conn) => {
      await first.passed
      conn.write('first')
    },
    async end(conn) {
      atEnd.open()
      await second.passed
      conn.write('second')
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hello')
  await atEnd.passed
  await turns(3)
  first.open()
  second.open()
  t.is(String(await readHalf(socket)), 'firstsecond')
  t.is(await ended.passed, undefined)
})

test('handlers that settle in time are not cut off', async (t) => {
  const ended = gate<Error | undefined>()
  const answer = gate()
  const server = await start<string, string>(t, {
    codec: pairs,
    timeouts: { handler: 60_000 },
    async message(conn, text) {
      await answer.passed
      conn.write(text)
    },
    end: () => answer.open(),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hi')
  t.is((await readHalf(socket)).toString(), 'hi')
  t.is(await ended.passed, undefined)
})

test('the handler idle runs instead of closing, each time anew, and what it writes is sent', async (t) => {
  const server = await start<Buffer, string>(t, {
    codec: line() as never,
    timeouts: { idle: TIME },
    message() {},
    idle: (conn) => conn.write('ping'),
  })
  const before = performance.now()
  const socket = await connect(server.port)
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    if (text === 'ping\nping\nping\n') break
  }
  t.true(performance.now() - before >= 3 * TIME)
  socket.destroy()
})

test('a throw in the handler idle destroys the connection with it', async (t) => {
  const end = await endOf(t, { idle: TIME }, '', {
    codec: pairs,
    message() {},
    idle() {
      throw Object.assign(new Error('no more'), { code: 'MINE' })
    },
  })
  t.is(end.code, 'MINE')
})

test('receive closes although output moves, and the handler idle is not asked', async (t) => {
  const end = await endOf(t, { receive: TIME, idle: TIME }, '', {
    codec: pairs,
    message() {},
    idle: (conn) => conn.write('hi'),
  })
  t.is(end.code, 'ERR_RECEIVE_TIMEOUT')
})

test('an old connection answers what it has received, and then ends in good order with ERR_MAX_LIFETIME', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, Buffer>(t, {
    codec: line() as never,
    timeouts: { maxLifetime: LONG },
    message: (conn, text) => conn.write(text),
    end: () => t.fail('the peer has not ended'),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('hello\n')
  t.is((await readHalf(socket)).toString(), 'hello\n')
  t.is(codeOf(await ended.passed), 'ERR_MAX_LIFETIME')
})

test('an iteration finishes at the end of a lifetime', async (t) => {
  const finished = gate()
  const { code } = await endOf(t, { maxLifetime: TIME }, 'okok', {
    codec: pairs,
    async open(conn) {
      for await (const text of conn) t.is(text, 'ok')
      finished.open()
    },
  })
  await finished.passed
  t.is(code, 'ERR_MAX_LIFETIME')
})

test('a client closes in its own time too', async (t) => {
  const server = await start(t, { message() {} })
  const ended = gate<Error | undefined>()
  await dial(t, {
    to: server.port,
    timeouts: { receive: TIME },
    message() {},
    close: (_conn, error) => ended.open(error),
  })
  t.is(codeOf(await ended.passed), 'ERR_RECEIVE_TIMEOUT')
})

test('the entries of listen have times of their own', async (t) => {
  const codes: (string | undefined)[] = []
  const ended = gate()
  const server = await start(t, {
    listen: [
      { port: 0, host: '127.0.0.1', timeouts: { idle: TIME } },
      { port: 0, host: '127.0.0.1', timeouts: { firstMessage: TIME } },
    ],
    timeouts: { receive: TIME },
    message() {},
    close(_conn, error) {
      codes.push(codeOf(error))
      if (codes.length === 2) ended.open()
    },
  })
  for (const { port } of server.listeners) await connect(port as number)
  await ended.passed
  t.deepEqual(codes.sort(), ['ERR_FIRST_MESSAGE_TIMEOUT', 'ERR_IDLE_TIMEOUT'])
})

test('timeouts are checked', async (t) => {
  for (const timeouts of [{ idle: -1 }, { idle: 1.5 }, { write: '5' }, { idel: 5 }, 5, null]) {
    await t.throwsAsync(start(t, { timeouts: timeouts as Timeouts }), {
      code: 'ERR_INVALID_OPTION',
    })
  }
  await t.notThrowsAsync(start(t, { timeouts: { idle: 0, receive: undefined } }))
})
