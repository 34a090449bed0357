import type net from 'node:net'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { type Conn, type Handlers, lengthField, MillraceError, serve } from 'millrace'
import { nativeError } from '../lib/native/system-error.js'
import { errorName, unbind } from '../native.cjs'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { millraceThreads } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'

class Oops extends Error {}

function oops(): never {
  throw new Oops('from the handler')
}

/** Handlers that throw, by where they throw. */
const THROWS: Record<string, Handlers<Buffer, Uint8Array | string, unknown>> = {
  context: { context: oops, message() {} },
  open: { open: oops, message() {} },
  message: { message: oops },
  'an async open': { open: async () => oops(), message() {} },
  'an async message': { message: async () => oops() },
  drain: {
    open: (conn) => void conn.write(Buffer.alloc(4 << 20)),
    drain: oops,
    message() {},
  },
}

async function provoke(port: number): Promise<net.Socket> {
  const socket = await connect(port)
  socket.resume().write('x')
  await closed(socket)
  return socket
}

for (const [where, handlers] of Object.entries(THROWS)) {
  test(`an error thrown in ${where} ends the connection and goes to close`, async (t) => {
    const errors: unknown[] = []
    const ended = new Count()
    const server = await start<Buffer, Uint8Array | string, unknown>(t, {
      ...handlers,
      close(_conn, error) {
        errors.push(error)
        ended.up()
      },
      error: () => t.fail(),
    })
    await provoke(server.port)
    await ended.reaches(1)
    t.true(errors[0] instanceof Oops)
    t.is(errors.length, 1)
    t.is(server.connections, 0)
  })

  test(`an error thrown in ${where} goes to error if there is no close`, async (t) => {
    const told: unknown[][] = []
    const failed = new Count()
    const server = await start<Buffer, Uint8Array | string, unknown>(t, {
      ...handlers,
      error(...args) {
        told.push(args)
        failed.up()
      },
    })
    await provoke(server.port)
    await failed.reaches(1)
    const [[error, conn]] = told as [[Error, Conn]]
    t.true(error instanceof Oops)
    t.is(conn.readyState, 'closed')
  })
}

test('a handler that throws does not affect other connections', async (t) => {
  const server = await start(t, {
    message(conn, chunk) {
      if (chunk.toString() === 'bad') oops()
      conn.write(chunk)
    },
    close() {},
  })
  const good = await connect(server.port)
  for (let round = 0; round < 5; round++) {
    const bad = await connect(server.port)
    bad.resume().write('bad')
    await closed(bad)
    good.write('good')
    t.is((await read(good, 4)).toString(), 'good')
  }
})

for (const [what, close] of [
  ['throws', oops],
  ['rejects', async () => oops()],
] as const) {
  test(`the error of a close that ${what} goes to error`, async (t) => {
    const told: unknown[] = []
    const failed = new Count()
    const server = await start(t, {
      message: (conn) => conn.end(),
      close: () => close(),
      error(error) {
        told.push(error)
        failed.up()
      },
    })
    await provoke(server.port)
    await failed.reaches(1)
    t.true(told[0] instanceof Oops)
    await server.close()
  })
}

test('a thrown value that is not an error is wrapped in one', async (t) => {
  for (const thrown of ['text', 0, undefined, null, { code: 1 }]) {
    const errors: (Error | undefined)[] = []
    const ended = new Count()
    const server = await start(t, {
      message() {
        throw thrown
      },
      close(_conn, error) {
        errors.push(error)
        ended.up()
      },
    })
    await provoke(server.port)
    await ended.reaches(1)
    t.true(errors[0] instanceof Error)
    t.is(errors[0]?.cause, thrown)
  }
})

/** The warnings with that message which the process emits until the test ends. */
function warnings(t: ExecutionContext, message: string) {
  const seen: Error[] = []
  const count = new Count()
  const listen = (warning: Error) => {
    if (!warning.message.includes(message)) return
    seen.push(warning)
    count.up()
  }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  return { seen, count }
}

test('without close and error handlers each code is warned about at most once a second', async (t) => {
  const { seen, count } = warnings(t, 'nobody listens')
  let calls = 0
  const server = await start(t, {
    message() {
      calls++
      throw Object.assign(new Error('nobody listens'), { code: `CODE_${calls % 2}` })
    },
  })
  const begin = performance.now()
  for (let n = 0; n < 20; n++) await provoke(server.port)
  await server.close()
  await count.reaches(2)
  const seconds = 1 + Math.ceil((performance.now() - begin) / 1000)
  t.is(calls, 20)
  t.true(seen.length <= 2 * seconds, `${seen.length} warnings`)
  const codes = new Set(seen.map((each) => (each as MillraceError).code))
  t.deepEqual([...codes].sort(), ['CODE_0', 'CODE_1'])
})

for (const [what, error] of [
  ['throws', () => oopsOf('error handler threw')],
  ['rejects', async () => oopsOf('error handler rejected')],
] as const) {
  test(`an error handler that ${what} causes a warning, and the server goes on`, async (t) => {
    const { count } = warnings(t, `error handler ${what === 'throws' ? 'threw' : 'rejected'}`)
    const server = await start(t, {
      message(conn, chunk) {
        if (chunk.toString() === 'x') oops()
        conn.write(chunk)
      },
      error,
    })
    await provoke(server.port)
    await count.reaches(1)
    const socket = await connect(server.port)
    socket.write('good')
    t.is((await read(socket, 4)).toString(), 'good')
  })
}

function oopsOf(message: string): never {
  throw new Oops(message)
}

test('mistakes of a peer cause no warning and do not reach error', async (t) => {
  const { seen } = warnings(t, 'frame')
  const server = await start(t, {
    codec: lengthField({ max: 10 }),
    message() {},
    error: () => t.fail(),
  })
  for (const bytes of [
    [0, 0, 0, 11],
    [0xff, 0xff, 0xff, 0xff],
    [0, 0, 0, 5, 1],
  ]) {
    const socket = await connect(server.port)
    socket.resume().end(Uint8Array.from(bytes))
    await closed(socket)
  }
  const reset = await connect(server.port)
  reset.resetAndDestroy()
  await server.close()
  t.deepEqual(seen, [])
})

test('close gets ECONNRESET with errno and syscall if the peer resets', async (t) => {
  const opened = new Count()
  const ended = new Count()
  const errors: (Error | undefined)[] = []
  const server = await start(t, {
    open: () => opened.up(),
    message() {},
    close(_conn, error) {
      errors.push(error)
      ended.up()
    },
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  socket.resetAndDestroy()
  await closed(socket)
  await ended.reaches(1)
  const [error] = errors as [MillraceError]
  t.true(error instanceof MillraceError)
  t.is(error.name, 'MillraceError')
  t.is(error.code, 'ECONNRESET')
  t.true((error.errno as number) < 0)
  t.is(typeof error.syscall, 'string')
})

test('a MillraceError has only the fields it was given', (t) => {
  const cause = new Error('why')
  const full = { errno: -98, syscall: 'listen', address: '::1', port: 80 }
  const error = new MillraceError('EADDRINUSE', 'taken', { ...full, cause })
  t.like(error, { ...full, code: 'EADDRINUSE', message: 'taken', name: 'MillraceError' })
  t.is(error.cause, cause)
  t.true(error instanceof Error)
  const bare = new MillraceError('ERR_CLOSED', 'gone')
  t.deepEqual(Object.keys(bare).sort(), ['code', 'name'])
})

if (process.platform !== 'win32') {
  test('system errors have the same names as in Node', (t) => {
    const named = Object.entries(constants.errno).filter(
      ([, errno]) => errorName(errno) !== 'UNKNOWN',
    )
    for (const [name, errno] of named) {
      const wanted = getSystemErrorName(-errno)
      // Node has no name for a few of them.
      t.is(errorName(errno), wanted.startsWith('Unknown') ? name : wanted)
    }
    const names = named.map(([name]) => name)
    for (const name of ['EPROTOTYPE', 'ENETRESET', 'ENOSYS', 'EDQUOT', 'ENXIO', 'EBUSY', 'ETXTBSY'])
      t.true(names.includes(name), name)
  })
}

test('an error of the native module without its own code becomes ERR_INTERNAL', (t) => {
  const thrown = t.throws<NodeJS.ErrnoException>(() => unbind(2 ** 31, 0))
  t.is(thrown?.code, 'GenericFailure')
  const error = nativeError(thrown)
  t.is(error.code, 'ERR_INTERNAL')
  t.is(error.message, thrown?.message)
  t.is(error.cause, thrown)
  for (const code of ['EMFILE', 'UNKNOWN', 'ERR_LOOP_PANIC'])
    t.is(nativeError(Object.assign(new Error('why'), { code })).code, code)
  t.is(nativeError(new Error('why')).code, 'ERR_INTERNAL')
})

test.serial(
  'serve rejects with ENOMEM if there is no memory for rings, and leaves nothing behind',
  async (t) => {
    const ringBytes = 2 ** 29
    const whole = globalThis.ArrayBuffer
    let made = 0
    // Fails as V8 would, but only for the rings: real shortages depend on the system.
    globalThis.ArrayBuffer = new Proxy(whole, {
      construct(target, [bytes]) {
        if (bytes === ringBytes && ++made === 2)
          throw new RangeError('Array buffer allocation failed')
        return new target(bytes)
      },
    })
    t.teardown(() => {
      globalThis.ArrayBuffer = whole
    })
    const listen = 'tcp://127.0.0.1:0'
    const options = { listen, loops: LOOPS, ringBytes, message() {} }
    const before = millraceThreads()
    const error = await t.throwsAsync(serve(options), { instanceOf: MillraceError, code: 'ENOMEM' })
    t.true(error?.cause instanceof RangeError)
    t.deepEqual(millraceThreads(), before)
    // The next server starts normally.
    const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
    const socket = await connect(server.port)
    socket.write('hello')
    t.is((await read(socket, 5)).toString(), 'hello')
  },
)
