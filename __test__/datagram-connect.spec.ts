import test, { type ExecutionContext } from 'ava'
import {
  type ConnectDatagramOptions,
  type ConnectedDatagramSocket,
  connect as connectTo,
  json,
  line,
} from 'millrace'
import { connect as connectStream, read } from './support/client.js'
import { bound, peer, portOf } from './support/datagrams.js'
import { codeOf, gate, tally } from './support/gate.js'
import { LOOPS, ONE, RING_BYTES, start } from './support/serve.js'

/** A connected socket, closed when the test ends. */
async function connected<In = Buffer, Out = Uint8Array | string>(
  t: ExecutionContext,
  port: number,
  options: Partial<ConnectDatagramOptions<In, Out>> = {},
): Promise<ConnectedDatagramSocket<In, Out>> {
  const isOwn = options.loop === undefined && !('loops' in options)
  const socket = await connectTo<In, Out>({
    to: `udp://127.0.0.1:${port}`,
    ...(isOwn ? { loops: LOOPS, ringBytes: RING_BYTES } : {}),
    ...options,
  } as ConnectDatagramOptions<In, Out>)
  t.teardown(() => socket.close())
  return socket
}

test('a connected socket sends to its peer and receives only from its peer', async (t) => {
  const client = await peer(t)
  const { all, hit } = tally<[text: string, from: number]>(2)
  const socket = await connected(t, client.port, {
    message: (_, message, info) => hit([String(message), info.port]),
  })
  t.is(socket.remote, `127.0.0.1:${client.port}`)
  t.regex(socket.address, /^udp:\/\/127\.0\.0\.1:\d+$/)
  t.true(socket.send('hello'))
  t.is(String(await client.next()), 'hello')
  const stranger = await peer(t)
  const port = portOf(socket.address)
  client.send('first', port)
  stranger.send('not for you', port)
  client.send('second', port)
  t.deepEqual(await all, [
    ['first', client.port],
    ['second', client.port],
  ])
})

test('a connected socket can be iterated and uses its codec both ways', async (t) => {
  const server = await bound(t, {
    codec: json<{ id: number }>(line()),
    message: (socket, { id }, info) => void socket.send({ id: id + 1 }, info),
  })
  const socket = await connected<{ id: number }, { id: number }>(t, server.port, {
    codec: json(line()),
  })
  let next = 0
  socket.send({ id: next })
  for await (const { message } of socket) {
    t.is(message.id, ++next)
    if (next === 20) break
    socket.send({ id: next })
  }
})

test('an unreachable port is reported, and the socket works once somebody binds the port', async (t) => {
  const gone = await bound(t, { message() {} })
  await gone.close()
  const refused = gate<string | undefined>()
  const { passed, open } = gate<string>()
  const socket = await connected(t, gone.port, {
    message: (_, message) => open(String(message)),
    error: (error) => refused.open(codeOf(error)),
  })
  t.true(socket.send('anybody?'))
  t.is(await refused.passed, process.platform === 'win32' ? 'ECONNRESET' : 'ECONNREFUSED')
  await bound(t, {
    address: gone.address,
    message: (back, message, info) => void back.send(message, info),
  })
  // The earlier refusal may fail one call, but nothing sent now is lost.
  socket.send('and now?')
  t.is(await passed, 'and now?')
  t.is(socket.readyState, 'open')
})

test('a connected socket refuses another destination, and too large a datagram', async (t) => {
  const client = await peer(t)
  const socket = await connected(t, client.port, { message() {} })
  const loose = socket as unknown as { send(message: string, to: string): boolean }
  t.throws(() => loose.send('x', '127.0.0.1:9'), { code: 'ERR_INVALID_ADDRESS' })
  t.throws(() => socket.send(Buffer.alloc(65_508)), { code: 'ERR_FRAME_TOO_LARGE' })
  await socket.setTTL(1)
  t.true(socket.send('only one hop'))
  t.is(String(await client.next()), 'only one hop')
  await socket.close()
  t.false(socket.send('closed'))
})

test('a connected socket sends from localAddress', async (t) => {
  const client = await peer(t)
  const port = portOf((await bound(t).then((each) => each.close().then(() => each))).address)
  const socket = await connected(t, client.port, {
    localAddress: `127.0.0.1:${port}`,
    message() {},
  })
  t.is(socket.address, `udp://127.0.0.1:${port}`)
  const wrong = { localAddress: '::1' }
  await t.throwsAsync(connected(t, client.port, wrong), { code: 'ERR_INVALID_ADDRESS' })
})

test('a connected socket works over IPv6 and with a host name', async (t) => {
  const client = await peer(t, { host: '::1' }).catch(() => undefined)
  if (client === undefined) {
    t.log('skipped: there is no IPv6 here')
    t.pass()
    return
  }
  const socket = await connected(t, 0, { to: `udp://[::1]:${client.port}`, message() {} })
  t.is(socket.remote, `[::1]:${client.port}`)
  t.true(socket.send('six'))
  t.is(String(await client.next()), 'six')
  const named = await connected(t, 0, { to: `udp://localhost:${client.port}`, message() {} })
  t.regex(named.remote, /^(127\.0\.0\.1|\[::1\]):\d+$/)
})

test('connect refuses invalid datagram addresses and options', async (t) => {
  const refused: [options: object, code: string][] = [
    [{ to: 'udp://127.0.0.1:0' }, 'ERR_INVALID_ADDRESS'],
    [{ to: 'udp://127.0.0.1' }, 'ERR_INVALID_ADDRESS'],
    [{ to: 'udp://127.0.0.1:9', reconnect: true }, 'ERR_INVALID_OPTION'],
    [{ to: 'udp://127.0.0.1:9', timeout: 0 }, 'ERR_INVALID_OPTION'],
    [{ to: 'udp://127.0.0.1:9', timeout: '9' }, 'ERR_INVALID_OPTION'],
    [{ to: 'udp://127.0.0.1:9', multicast: {} }, 'ERR_INVALID_OPTION'],
    [{ to: 'udp://127.0.0.1:9', loop: {} }, 'ERR_INVALID_OPTION'],
    [{ to: 'udp://127.0.0.1:9', localAddress: 7 }, 'ERR_INVALID_OPTION'],
  ]
  for (const [options, code] of refused) {
    const error = await t.throwsAsync(
      connectTo(options as never),
      undefined,
      JSON.stringify(options),
    )
    t.is(codeOf(error), code, JSON.stringify(options))
  }
  const signal = AbortSignal.abort()
  const aborted = await connectTo({ to: 'udp://127.0.0.1:9', signal }).catch(String)
  t.regex(String(aborted), /AbortError/)
})

test('T24 streams are proxied to datagrams on the loop of each connection', async (t) => {
  const backend = await bound(t, {
    loops: ONE,
    message: (socket, message, info) => void socket.send(`<${message}>`, info),
  })
  const proxy = await start(t, {
    loops: LOOPS === 'inline' ? LOOPS : 2,
    context: () => ({ socket: undefined as Promise<ConnectedDatagramSocket> | undefined }),
    open(conn) {
      conn.context.socket = connectTo({
        to: `udp://127.0.0.1:${backend.port}`,
        loop: conn,
        message: (_, message) => void conn.write(message),
      })
    },
    async message(conn, chunk) {
      const socket = await conn.context.socket
      socket?.send(chunk)
    },
    async close(conn) {
      await (await conn.context.socket)?.close()
    },
  })
  const clients = Array.from({ length: 10 }, async (_, at) => {
    const stream = await connectStream(proxy.port)
    for (let round = 0; round < 10; round++) {
      const text = `${at}.${round}`
      stream.write(text)
      if (String(await read(stream, text.length + 2)) !== `<${text}>`) return false
    }
    stream.end()
    return true
  })
  t.deepEqual(new Set(await Promise.all(clients)), new Set([true]))
})

test('T25 datagrams are proxied to a datagram backend, with a socket for each peer', async (t) => {
  const backend = await bound(t, {
    loops: ONE,
    message: (socket, message, info) => void socket.send(`<${message}>`, info),
  })
  const ways = new Map<string, Promise<ConnectedDatagramSocket>>()
  const proxy = await bound(t, {
    message(socket, message, info) {
      let way = ways.get(info.remote)
      if (way === undefined) {
        way = connected(t, backend.port, {
          message: (_, answer) => void socket.send(answer, info),
        })
        ways.set(info.remote, way)
      }
      return way.then((to) => to.send(message))
    },
  })
  const clients = Array.from({ length: 8 }, async (_, at) => {
    const client = await peer(t)
    for (let round = 0; round < 10; round++) {
      const text = `${at}.${round}`
      if (String(await client.ask(text, proxy.port)) !== `<${text}>`) return false
    }
    return true
  })
  t.deepEqual(new Set(await Promise.all(clients)), new Set([true]))
  t.is(ways.size, 8)
})
