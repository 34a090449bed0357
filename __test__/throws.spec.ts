import { once } from 'node:events'
import test from 'ava'
import { type Codec, type Conn, line, type Reader, raw } from 'millrace'
import { closed, connect, connectHalfOpen, read, readAll } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

const OTHERS = 100
const MINE = new Error('mine')

type Options = Parameters<typeof start<Buffer, string, string | undefined>>[1]

/** A codec that fails at the line `bad`. */
function lines(fail: () => unknown): Codec<Buffer, string> {
  const codec = line()
  return {
    ...codec,
    decode(from) {
      const text = codec.decode(from)
      return text?.toString() === 'bad' ? (fail() as Buffer) : text
    },
  }
}

function fail(): never {
  throw MINE
}

/** Places where a user's code can fail; only the first connection fails. */
const PLACES: Record<string, (isFirst: () => boolean) => Options> = {
  'a throw in context': (isFirst) => ({ context: () => (isFirst() ? fail() : undefined) }),
  'a throw in open': (isFirst) => ({ open: () => (isFirst() ? fail() : undefined) }),
  'a rejection in open': (isFirst) => ({ open: async () => (isFirst() ? fail() : undefined) }),
  'a throw in message': () => ({
    message: (_, text) => (text.toString() === 'bad' ? fail() : undefined),
  }),
  'a rejection in message': () => ({
    message: async (_, text) => (text.toString() === 'bad' ? fail() : undefined),
  }),
  'a rejection in message in a later turn': () => ({
    async message(_, text) {
      await new Promise(setImmediate)
      if (text.toString() === 'bad') fail()
    },
  }),
  'a throw in decode': () => ({ codec: lines(fail), message() {} }),
  'a throw in encode': () => ({
    codec: {
      ...line(),
      encode: (message: string, to) => (message === 'bad' ? fail() : void to.text(message)),
    },
    message: (conn, text) => void conn.write(text.toString()),
  }),
  'a throw in drain': () => ({
    highWaterMark: 10,
    message: (conn, text) =>
      void (text.toString() === 'bad' && conn.write('longer than the high-water mark')),
    drain: fail,
  }),
  'a rejection in drain': () => ({
    highWaterMark: 10,
    message: (conn, text) =>
      void (text.toString() === 'bad' && conn.write('longer than the high-water mark')),
    drain: async () => fail(),
  }),
}

for (const [place, options] of Object.entries(PLACES)) {
  test(`${place} destroys only that connection, and its close gets the error`, async (t) => {
    const ended = gate<[Error | undefined, unknown]>()
    let count = 0
    let echoes = 0
    const chosen = options(() => count++ === 0)
    const server = await start<Buffer, string, string | undefined>(t, {
      codec: line(),
      ...chosen,
      message(conn, text) {
        if (text.toString() === 'ping') {
          echoes++
          conn.write('pong')
          return
        }
        return chosen.message?.(conn, text)
      },
      close(conn, error) {
        if (error !== undefined) ended.open([error, conn.readyState])
      },
    })
    const bad = await connect(server.port)
    bad.resume()
    const others = await Promise.all(Array.from({ length: OTHERS }, () => connect(server.port)))
    const pong = async () => {
      await Promise.all(
        others.map(async (socket) => {
          socket.write('ping\n')
          t.is((await read(socket, 5)).toString(), 'pong\n')
        }),
      )
    }
    const before = pong()
    bad.write('good\nbad\ngood\n')
    const [error, state] = await ended.passed
    t.is(error, MINE)
    t.is(state, 'closed')
    await Promise.all([before, closed(bad)])
    await pong()
    t.is(echoes, 2 * OTHERS)
    t.is(server.connections, OTHERS)
  })
}

test('a handler that throws at every message loses no message of another connection in the same batch', async (t) => {
  const server = await start<Buffer, string>(t, {
    codec: line(),
    message(conn, text) {
      if (text.toString() === 'bad') throw MINE
      conn.write(text.toString())
    },
    close() {},
  })
  const replies = await Promise.all(
    Array.from({ length: 300 }, async (_, at) => {
      const socket = await connect(server.port)
      socket.end(at % 2 === 0 ? 'bad\nbad\n' : 'one\ntwo\n')
      return (await readAll(socket)).toString()
    }),
  )
  t.deepEqual(
    replies,
    replies.map((_, at) => (at % 2 === 0 ? '' : 'one\ntwo\n')),
  )
})

test('no message comes after a throw in open', async (t) => {
  const seen: string[] = []
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    open: fail,
    message: () => void seen.push('message'),
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.on('error', () => {}).end('hello')
  t.is(await ended.passed, MINE)
  t.deepEqual(seen, [])
  socket.destroy()
})

test('a handler that fails because another connection is closed has failed, even after its own end', async (t) => {
  const opened = gate<Conn>()
  const ended = gate<[Error | undefined, boolean]>()
  let reason: unknown
  const server = await start(t, {
    async message(conn) {
      const other = await opened.passed
      conn.end()
      await other.drained().catch((error) => {
        reason = error
        throw error
      })
    },
    close: (_conn, error) => ended.open([error, error === reason]),
  })
  const other = await start(t, {
    message() {},
    close: (conn) => opened.open(conn),
    open: (conn) => conn.destroy(),
  })
  await closed((await connect(other.port)).resume())
  const socket = await connectHalfOpen(server.port)
  socket.resume().write('x')
  const [error, isSame] = await ended.passed
  t.is(codeOf(error), 'ERR_CLOSED')
  t.true(isSame)
  socket.destroy()
})

test('close gets a thrown value that is not an Error as the cause of one', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    open() {
      throw 'text'
    },
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  const error = await ended.passed
  t.true(error instanceof Error)
  t.is(error?.message, 'text')
  t.is(error?.cause, 'text')
  socket.destroy()
})

test('a context or decode that returns a promise is refused', async (t) => {
  const errors: (string | undefined)[] = []
  const refused = async (options: Options) => {
    const ended = gate<Error | undefined>()
    const server = await start<Buffer, string, string | undefined>(t, {
      codec: line(),
      ...options,
      close: (_, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    socket.write('bad\n')
    errors.push(codeOf(await ended.passed))
    socket.destroy()
  }
  await refused({ context: (async () => 'late') as never })
  await refused({ context: (async () => fail()) as never })
  await refused({ codec: lines(async () => 'late'), message() {} })
  await refused({ codec: lines(async () => fail()), message() {} })
  await refused({
    codec: { ...line(), decode: (async (from: Reader) => from.skip(await 3)) as never },
    message() {},
  })
  await refused({
    codec: { ...raw(), decode: (async (from: Reader) => from.skip(await 3)) as never },
    message() {},
  })
  t.deepEqual(errors.splice(0, 2), ['ERR_CONTEXT_ASYNC', 'ERR_CONTEXT_ASYNC'])
  t.deepEqual(errors, Array(4).fill('ERR_DECODE_ASYNC'))
})

test('without a close handler a thrown error goes to error with the connection, and without error it becomes a warning', async (t) => {
  const told = gate<[Error, unknown]>()
  const server = await start(t, {
    message: fail,
    error: (error, conn) => told.open([error, conn?.readyState]),
  })
  const socket = await connect(server.port)
  socket.write('x')
  t.deepEqual(await told.passed, [MINE, 'closed'])
  const warned = once(process, 'warning')
  const silent = await start(t, { message: fail })
  const other = await connect(silent.port)
  other.write('x')
  t.is((await warned)[0], MINE)
  socket.destroy()
  other.destroy()
})

for (const handler of ['open', 'message'] as const) {
  for (const how of ['thrown', 'rejected'] as const) {
    test(`a value that cannot become a string, ${how} in ${handler}, closes only its connection`, async (t) => {
      const thrown = Object.create(null)
      const ended = gate<Error | undefined>()
      const server = await start(t, {
        message() {},
        [handler]() {
          if (how === 'rejected') return Promise.reject(thrown)
          throw thrown
        },
        close: (_conn: unknown, error?: Error) => ended.open(error),
      })
      const socket = await connect(server.port)
      socket.write('x')
      t.is((await ended.passed)?.cause, thrown)
      await closed(socket.resume())
    })
  }
}

test('a thenable may call back twice, and destroy wraps a value that is not an Error', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    message(conn) {
      conn.destroy('a word' as never)
    },
    open: () => ({
      // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable
      then(done: () => void) {
        done?.()
        done?.()
      },
    }),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('x')
  const error = await ended.passed
  t.true(error instanceof Error)
  t.is(error?.message, 'a word')
})
