/** `node:http` over connections of millrace, on both sides. */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import { toDuplex } from 'millrace'
import { closed, connect, read, readAll } from './support/client.js'
import { dial } from './support/dial.js'
import { gate } from './support/gate.js'
import { gone, patterned } from './support/streams.js'
import { turns } from './support/turns.js'
import { ask, keeper, textOf, web } from './support/web.js'

const MIB = 1 << 20

/** So many MiB, made as they are read. */
function megabytes(count: number): Readable {
  const chunk = patterned(MIB)
  return Readable.from(Array.from({ length: count }, () => chunk))
}

async function digestOf(readable: Readable): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of readable) hash.update(chunk)
  return hash.digest('hex')
}

test('requests and replies, two on one connection that is kept alive', async (t) => {
  const { port, streams } = await web(t, async (request, response) => {
    response.end(`${request.method} ${request.url} ${await textOf(request)}`)
  })
  const agent = keeper(t)
  const first = await ask(port, { agent, path: '/first', method: 'POST' }, 'one')
  t.is(first.statusCode, 200)
  t.is(await textOf(first), 'POST /first one')
  t.is(await textOf(await ask(port, { agent, path: '/second' })), 'GET /second ')
  t.is(streams.length, 1)
  t.is(await textOf(await ask(port, { path: '/third', agent: false })), 'GET /third ')
  t.is(streams.length, 2)
})

test('requests that come at once are answered in order, and the connection closes when asked', async (t) => {
  const late = gate()
  const { port, codes, streams } = await web(t, async (request, response) => {
    if (request.url === '/1') await late.passed
    else late.open()
    response.end(request.url)
  })
  const socket = await connect(port)
  const head = 'HTTP/1.1\r\nHost: here\r\n'
  socket.write(`GET /1 ${head}\r\nGET /2 ${head}Connection: close\r\n\r\n`)
  const replies = (await readAll(socket)).toString()
  t.regex(replies, /^HTTP\/1\.1 200 OK\r\n.*\/1HTTP\/1\.1 200 OK\r\n.*\/2$/s)
  for (const stream of streams) await gone(stream)
  t.deepEqual(codes, [undefined])
})

test('a bad request is answered with 400, and its connection closes', async (t) => {
  const { port } = await web(t, () => {})
  const socket = await connect(port)
  socket.write('this is not HTTP\r\n\r\n')
  t.regex((await readAll(socket)).toString(), /^HTTP\/1\.1 400 Bad Request\r\n/)
})

test('an upgrade hands over the stream, with what came behind the request', async (t) => {
  const { http: server, port } = await web(t, () => {})
  const accepted =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
  server.on('upgrade', (_request, stream, head) => {
    stream.write(accepted)
    stream.write(head)
    stream.pipe(stream)
  })
  const socket = await connect(port)
  const head = 'GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
  socket.write(`${head}early`)
  t.is((await read(socket, accepted.length + 5)).toString(), `${accepted}early`)
  socket.end('and late')
  t.is((await readAll(socket)).toString(), 'and late')
})

test('a request whose client goes away is aborted', async (t) => {
  const aborted = gate<string | undefined>()
  const begun = gate()
  const { port, streams } = await web(t, (request) => {
    request.on('error', (error: NodeJS.ErrnoException) => aborted.open(error.code))
    request.resume()
    begun.open()
  })
  const asked = http.request({ host: '127.0.0.1', port, method: 'POST' })
  asked.on('error', () => {})
  asked.write('the first part')
  await begun.passed
  asked.destroy()
  t.is(await aborted.passed, 'ECONNRESET')
  for (const stream of streams) await gone(stream)
})

test('a reply whose client goes away is closed', async (t) => {
  const gave = gate()
  const { port } = await web(t, (_request, response) => {
    response.on('close', gave.open)
    response.write('the first part')
  })
  const reply = await ask(port)
  reply.on('error', () => {})
  reply.destroy()
  await gave.passed
  t.pass()
})

test('100 MiB go up and come down', async (t) => {
  const { port } = await web(t, async (request, response) => {
    if (request.method === 'GET') megabytes(100).pipe(response)
    else response.end(await digestOf(request))
  })
  const expected = await digestOf(megabytes(100))
  t.is(await textOf(await ask(port, { method: 'PUT' }, megabytes(100))), expected)
  t.is(await digestOf(await ask(port)), expected)
})

test('a client that does not read stops the reply, and little of it waits here', async (t) => {
  let given = 0
  const { port, streams } = await web(t, (_request, response) => {
    const body = megabytes(64)
    body.on('data', (chunk: Buffer) => {
      given += chunk.length
    })
    body.pipe(response)
  })
  const reply = await ask(port)
  for (let before = -1; given !== before; await turns(100)) before = given
  t.true(given < 64 * MIB)
  t.true((streams[0]?.conn.buffered ?? 0) <= 2 * MIB)
  t.is(await digestOf(reply), await digestOf(megabytes(64)))
})

test('a connection that is kept alive closes when keepAliveTimeout is over', async (t) => {
  const { http: server, port, codes } = await web(t, (_request, response) => response.end('ok'))
  server.keepAliveTimeout = 1
  const socket = await connect(port)
  socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
  t.regex((await readAll(socket)).toString(), /ok$/)
  while (codes.length === 0) await turns(10)
  t.deepEqual(codes, [undefined])
})

test('headersTimeout answers 408 to a client that is slow with its head', async (t) => {
  const { http: server, port } = await web(t, () => {})
  server.headersTimeout = 1
  server.requestTimeout = 1
  Object.assign(server, { connectionsCheckingInterval: 10 })
  server.emit('listening')
  const socket = await connect(port)
  socket.write('GET / HTTP/1.1\r\nHost: he')
  t.regex((await readAll(socket)).toString(), /^HTTP\/1\.1 408 Request Timeout\r\n/)
})

test('closing the HTTP server ends idle connections, and those alone', async (t) => {
  const late = gate()
  const {
    http: server,
    port,
    streams,
  } = await web(t, async (request, response) => {
    if (request.url === '/late') await late.passed
    response.end('done')
  })
  const idle = await connect(port)
  idle.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
  t.regex((await read(idle, 10)).toString(), /^HTTP/)
  const reply = ask(port, { path: '/late', agent: false })
  while (streams.length < 2) await turns(1)
  for (; !streams[1]?.bytesRead; ) await turns(1)
  await turns(10)
  server.close()
  await closed(idle.resume())
  late.open()
  t.is(await textOf(await reply), 'done')
})

test('a server that closes lets replies in flight finish, if http allows half-open connections', async (t) => {
  const late = gate()
  const began = gate()
  const {
    http: web1,
    server,
    port,
    codes,
  } = await web(t, async (_request, response) => {
    response.write('in ')
    began.open()
    await late.passed
    response.end('flight')
  })
  Object.assign(web1, { httpAllowHalfOpen: true })
  const idle = await connect(port)
  while (server.connections < 1) await turns(1)
  const reply = textOf(await ask(port, { agent: keeper(t) }))
  await began.passed
  const closing = server.close()
  // The idle one has ended by then.
  t.is((await readAll(idle)).toString(), '')
  late.open()
  t.is(await reply, 'in flight')
  await closing
  t.deepEqual(codes, [undefined, undefined])
})

test('a request goes over a connection of millrace, and so does an agent that keeps it', async (t) => {
  const server = http.createServer(async (request, response) => {
    response.end(`${request.url} ${await textOf(request)}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as { port: number }
  const conn = await dial(t, { to: port, allowHalfOpen: true })
  const createConnection = () => toDuplex(conn)
  const reply = await ask(port, { createConnection, path: '/one', method: 'POST' }, 'body')
  t.is(await textOf(reply), '/one body')

  let connections = 0
  const agent = keeper(t)
  agent.createConnection = (_options, callback) => {
    connections++
    dial(t, { to: port, allowHalfOpen: true }).then(
      (conn) => callback?.(null, toDuplex(conn)),
      (error) => callback?.(error, undefined as never),
    )
    return undefined
  }
  for (const path of ['/two', '/three']) {
    t.is(await textOf(await ask(port, { agent, path })), `${path} `)
  }
  t.is(connections, 1)
})
