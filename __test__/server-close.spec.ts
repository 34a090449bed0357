import { once } from 'node:events'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { type Conn, line, type MillraceError, serve } from 'millrace'
import { closed, connect, connectHalfOpen, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { gate } from './support/gate.js'
import { LOOPS, start } from './support/serve.js'
import { turns } from './support/turns.js'

test('close resolves after every close handler has run', async (t) => {
  const opened = new Count()
  const seen: unknown[] = []
  const server = await start(t, {
    open: () => opened.up(),
    message() {},
    close: (_conn, error) => seen.push(error),
  })
  const sockets = await Promise.all(Array.from({ length: 10 }, () => connect(server.port)))
  await opened.reaches(10)
  for (const socket of sockets) socket.resume()
  await server.close()
  t.deepEqual(seen, Array(10).fill(undefined))
  t.is(server.connections, 0)
  for (const socket of sockets) await closed(socket)
})

test('a second close returns the promise of the first', async (t) => {
  const server = await start(t, { message() {} })
  const first = server.close()
  t.is(server.close(), first)
  await first
  t.is(server.close(), first)
})

test('a close with invalid options is refused and closes nothing', async (t) => {
  const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
  for (const timeout of [-1, 1.5, Number.NaN, Infinity, 2 ** 31, '1' as unknown as number]) {
    await t.throwsAsync(server.close({ timeout }), { code: 'ERR_INVALID_OPTION' })
  }
  for (const options of [null, 5, { timout: 5 }] as never[]) {
    await t.throwsAsync(server.close(options), { code: 'ERR_INVALID_OPTION' })
    const listener = server.listeners[0]
    await t.throwsAsync((listener as NonNullable<typeof listener>).close(options), {
      code: 'ERR_INVALID_OPTION',
    })
  }
  const socket = await connect(server.port)
  socket.write('x')
  t.is((await read(socket, 1)).toString(), 'x')
})

test('close ends idle clients at once', async (t) => {
  const opened = new Count()
  const server = await start(t, { open: () => opened.up(), message() {} })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const bytes = readAll(socket)
  // No timeout of the server is involved: the client sees FIN and answers it.
  await Promise.all([server.close(), bytes])
  t.is((await bytes).length, 0)
})

test('close ends a half-open connection whose peer has ended at once, and sends its reply', async (t) => {
  const through = new Count()
  const errors: unknown[] = []
  const server = await start(t, {
    allowHalfOpen: true,
    async open(conn: Conn) {
      for await (const chunk of conn) conn.write(chunk)
      through.up()
    },
    close: (_conn: Conn, error?: Error) => void errors.push(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hello')
  await through.reaches(1)
  const reply = readAll(socket)
  // No more data can arrive, so close does not wait for the timeout.
  await server.close({ timeout: 2 ** 31 - 1 })
  t.is((await reply).toString(), 'hello')
  t.deepEqual(errors, [undefined])
})

test('requests that were received before close are answered', async (t) => {
  const opened = new Count()
  const server = await start(t, {
    codec: line(),
    open: () => opened.up(),
    message: (conn, request) => void conn.write(`re: ${request}`),
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  socket.write('one\ntwo\nthr')
  const reply = readAll(socket)
  const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
  await server.close()
  // Half a request is not answered.
  t.regex(Buffer.concat([first, await reply]).toString(), /^re: one\nre: two\n/)
})

/** Connects `clients` clients that send at once, while this thread is blocked. */
function connectBlocked(
  port: number,
  clients: number,
): { worker: Worker; replies: Promise<string[]> } {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { workerData: { flag, port, clients }, parentPort } = require('node:worker_threads')
     const replies = []
     let sent = 0
     for (let n = 0; n < clients; n++) {
       let reply = ''
       const socket = require('node:net').connect(port, '127.0.0.1')
       socket.on('error', (error) => { reply += error.code })
       socket.on('data', (chunk) => { reply += chunk })
       socket.on('close', () => {
         if (replies.push(reply) === clients) parentPort.postMessage(replies)
       })
       socket.write('request\\n', () => {
         if (++sent === clients) { Atomics.store(flag, 0, 1); Atomics.notify(flag, 0) }
       })
     }`,
    { eval: true, execArgv: [], workerData: { flag, port, clients } },
  )
  const replies = once(worker, 'message').then(([all]) => all as string[])
  Atomics.wait(flag, 0, 0)
  return { worker, replies }
}

for (const { loops, clients } of [
  { loops: LOOPS, clients: 100 },
  // More than a loop accepts in one turn.
  { loops: 'inline', clients: 1500 },
] as const) {
  test(`${clients} clients that connected and sent before close() are answered (loops: ${loops})`, async (t) => {
    const server = await start(t, {
      loops,
      codec: line(),
      message: (conn, request) => void conn.write(`re: ${request}`),
    })
    const { worker, replies } = connectBlocked(server.port, clients)
    t.teardown(() => worker.terminate())
    await server.close()
    t.deepEqual(new Set(await replies), new Set(['re: request\n']))
  })
}

test('close ends a connection only after the promises of its handlers have settled', async (t) => {
  const called = new Count()
  let release = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const server = await start(t, {
    codec: line(),
    async message(conn, request) {
      called.up()
      await gate
      conn.write(`re: ${request}`)
    },
  })
  const socket = await connect(server.port)
  const reply = readAll(socket)
  socket.write('one\n')
  await called.reaches(1)
  let isClosed = false
  const closing = server.close().then(() => (isClosed = true))
  // Another client is refused, so the server has done everything that it can do without the reply.
  const other = net.connect(server.port, '127.0.0.1')
  await once(other, 'close').catch(() => {})
  t.false(isClosed)
  release()
  await closing
  t.is((await reply).toString(), 're: one\n')
})

test('connections still open at the timeout are destroyed with ERR_CLOSE_TIMEOUT', async (t) => {
  const called = new Count()
  const errors: (string | undefined)[] = []
  const server = await start(t, {
    message() {
      called.up()
      return new Promise(() => {})
    },
    close: (_conn, error) => errors.push((error as MillraceError | undefined)?.code),
  })
  const sockets = await Promise.all([connect(server.port), connect(server.port)])
  for (const socket of sockets) socket.resume().write('x')
  await called.reaches(2)
  await server.close({ timeout: 1 })
  t.deepEqual(errors, ['ERR_CLOSE_TIMEOUT', 'ERR_CLOSE_TIMEOUT'])
  for (const socket of sockets) await closed(socket)
})

test('a connection that is accepted after the timeout is destroyed too', async (t) => {
  const errors: (string | undefined)[] = []
  const server = await start(t, {
    loops: 1,
    codec: line(),
    message: () => new Promise(() => {}),
    close: (_conn, error) => errors.push((error as MillraceError | undefined)?.code),
  })
  const { worker, replies } = connectBlocked(server.port, 50)
  t.teardown(() => worker.terminate())
  await server.close({ timeout: 0 })
  t.deepEqual(errors, Array(50).fill('ERR_CLOSE_TIMEOUT'))
  await replies
})

test('the port is free as soon as close resolves', async (t) => {
  const server = await start(t, { message: (conn) => conn.end('bye') })
  for (let round = 0; round < 5; round++) {
    const again =
      round === 0 ? server : await serve({ listen: `tcp://127.0.0.1:${server.port}`, loops: LOOPS })
    const socket = await connect(server.port)
    socket.resume()
    await again.close()
    await closed(socket)
    await t.throwsAsync(connect(server.port), { code: 'ECONNREFUSED' })
  }
})

test('an aborted signal closes the server', async (t) => {
  const controller = new AbortController()
  const opened = new Count()
  const ended = new Count()
  const server = await start(t, {
    signal: controller.signal,
    open: () => opened.up(),
    message() {},
    close: () => ended.up(),
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  socket.resume()
  controller.abort()
  await ended.reaches(1)
  await server.close()
  await t.throwsAsync(connect(server.port), { code: 'ECONNREFUSED' })
})

test('serve rejects with the reason of an already aborted signal', async (t) => {
  const reason = new Error('not today')
  await t.throwsAsync(start(t, { signal: AbortSignal.abort(reason) }), { is: reason })
})

test('await using closes a server and a connection', async (t) => {
  const opened = new Count()
  const conns: Conn[] = []
  let port = 0
  let socket: net.Socket | undefined
  {
    await using server = await serve({
      listen: 'tcp://127.0.0.1:0',
      loops: LOOPS,
      open(conn) {
        conns.push(conn)
        opened.up()
      },
      message() {},
    })
    port = Number(server.addresses[0]?.split(':').pop())
    socket = (await connect(port)).resume()
    await opened.reaches(1)
    {
      await using conn = conns[0] as Conn
      t.is(conn.readyState, 'open')
    }
    t.is(conns[0]?.readyState, 'closed')
    t.is(server.connections, 0)
  }
  await closed(socket)
  await t.throwsAsync(connect(port), { code: 'ECONNREFUSED' })
})

test('a server closes in time, whatever its handlers wait for', async (t) => {
  const waiting = new Count()
  const server = await start(t, {
    highWaterMark: 1,
    message() {},
    async open(conn) {
      waiting.up()
      for (;;) if (!conn.write(Buffer.alloc(1 << 20))) await conn.drained()
    },
    close() {},
  })
  const sockets = await Promise.all([connect(server.port), connect(server.port)])
  await waiting.reaches(2)
  await server.close({ timeout: 50 })
  t.is(server.connections, 0)
  for (const socket of sockets) socket.destroy()
})

test('a second close of a server with a shorter timeout hurries the first one', async (t) => {
  const messages: (string | undefined)[] = []
  const opened = new Count()
  const server = await start(t, {
    message() {},
    open(conn) {
      opened.up()
      return new Promise(() => conn)
    },
    close: (_conn, error) => void messages.push(error?.message),
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const first = server.close()
  await turns(3)
  await server.close({ timeout: 0 })
  await first
  t.deepEqual(messages, [
    'the connection was still open when the timeout of server.close (0 ms) ended',
  ])
  socket.destroy()
})

test('a later close with a longer timeout does not put the first one off', async (t) => {
  const opened = new Count()
  const server = await start(t, {
    message() {},
    open() {
      opened.up()
      return new Promise(() => {})
    },
    close() {},
  })
  const socket = await connect(server.port)
  await opened.reaches(1)
  const first = server.close({ timeout: 20 })
  await server.close({ timeout: 2 ** 31 - 1 })
  await first
  t.is(server.connections, 0)
  socket.destroy()
})

for (const pulled of [false, true]) {
  test(`a paused connection holds a closing server up only if something is parked (pulled: ${pulled})`, async (t) => {
    const opened = gate<Conn>()
    const server = await start(t, {
      ...(pulled ? {} : { message() {} }),
      open(conn) {
        conn.pause()
        opened.open(conn)
      },
    })
    const socket = await connect(server.port)
    socket.resume()
    await opened.passed
    await server.close()
    await closed(socket)
    t.pass()
  })
}
