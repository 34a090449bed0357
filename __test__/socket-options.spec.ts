import { once } from 'node:events'
import type net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Conn, connect as dial, type MillraceError, type SocketOptions, serve } from 'millrace'
import { closed, connect, connectHalfOpen, connectTo, read, readAll } from './support/client.js'
import { gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { HAS_NETWORKS, launch } from './support/process.js'
import { ANY, LOOPS, start } from './support/serve.js'
import { IS_LINUX, IS_WINDOWS } from './support/system.js'

/** A server's connection and the socket at its other end. */
async function pair(
  t: ExecutionContext,
  options: Parameters<typeof start>[1],
): Promise<[conn: Conn, socket: net.Socket]> {
  const { passed, open } = gate<Conn>()
  const server = await start(t, { message() {}, ...options, open: (conn) => open(conn as Conn) })
  const socket = await connectTo(server.addresses[0])
  return [await passed, socket]
}

function onlyIf(isHere: boolean, ...options: SocketOptions[]): [SocketOptions][] {
  return isHere ? options.map((each) => [each]) : []
}

/** An option, and the value that is read back if it differs. */
const VALUES: readonly [options: SocketOptions, seen?: SocketOptions][] = [
  [{ noDelay: true }],
  [{ noDelay: false }],
  [{ keepAlive: false }],
  [{ keepAlive: { idle: 5000, interval: 2000, count: 3 } }],
  // Times are rounded up to seconds.
  [
    { keepAlive: { idle: 4001, interval: 1, count: 127 } },
    { keepAlive: { idle: 5000, interval: 1000, count: 127 } },
  ],
  [{ linger: 0 }],
  [{ linger: false }],
  // Linux reserves twice the size.
  [{ receiveBuffer: 20_000 }, { receiveBuffer: IS_LINUX ? 40_000 : 20_000 }],
  [{ sendBuffer: 20_000 }, { sendBuffer: IS_LINUX ? 40_000 : 20_000 }],
  ...onlyIf(!IS_WINDOWS, { dscp: 46 }, { dscp: 0 }),
  ...onlyIf(IS_LINUX, { userTimeout: 12_345 }, { userTimeout: 0 }),
  ...onlyIf(IS_LINUX, { quickAck: true }, { quickAck: false }),
]

for (const [options, seen = options] of VALUES) {
  const text = JSON.stringify(options)
  const hasIt = (t: ExecutionContext, found: SocketOptions) =>
    t.like(found, seen as Record<string, unknown>)

  test(`T5 a connection has the options of its server: ${text}`, async (t) => {
    const [conn] = await pair(t, options)
    hasIt(t, await conn.socketOptions())
  })

  test(`T5 the options of a listener override those of its server: ${text}`, async (t) => {
    const others = { noDelay: !options.noDelay, keepAlive: true, receiveBuffer: 9000 }
    const [conn] = await pair(t, { ...others, listen: { address: ANY, ...options } })
    hasIt(t, await conn.socketOptions())
  })

  test(`T5 the options of an open connection can be changed: ${text}`, async (t) => {
    const [conn, socket] = await pair(t, {})
    await conn.setSocketOptions(options)
    hasIt(t, await conn.socketOptions())
    // The connection still works.
    conn.write('hello')
    t.is((await read(socket, 5)).toString(), 'hello')
  })

  // `quickAck` is a state, which the handshake may already have changed again.
  if (options.quickAck !== undefined) continue
  test(`an outgoing connection has its options: ${text}`, async (t) => {
    const server = await start(t, { message() {} })
    const conn = await dial({
      to: server.addresses[0] as string,
      loops: server as never,
      ...options,
    })
    hasIt(t, await conn.socketOptions())
    conn.destroy()
  })
}

test('options default to those of the system, except noDelay', async (t) => {
  const [conn] = await pair(t, {})
  const found = await conn.socketOptions()
  t.like(found, { noDelay: true, keepAlive: false, linger: false })
  t.true((found.receiveBuffer ?? 0) > 0)
  t.true((found.sendBuffer ?? 0) > 0)
  const names = ['noDelay', 'keepAlive', 'linger', 'receiveBuffer', 'sendBuffer']
  if (!IS_WINDOWS) names.push('dscp')
  if (IS_LINUX) names.push('userTimeout', 'quickAck')
  t.deepEqual(Object.keys(found).sort(), names.sort())
})

test('keepAlive: true leaves the times to the system', async (t) => {
  const [conn] = await pair(t, { keepAlive: true })
  const { keepAlive } = await conn.socketOptions()
  const {
    idle = 0,
    interval = 0,
    count = 0,
  } = keepAlive as { idle: number; interval: number; count: number }
  t.true(idle >= 1000 && interval >= 1000 && count >= 1)
})

test('dscp works for IPv6 and for IPv4 on an IPv6 listener', async (t) => {
  if (IS_WINDOWS) return t.pass()
  const conns: Conn[] = []
  const { passed, open } = gate()
  const server = await start(t, {
    listen: 'tcp://:0',
    dscp: 10,
    message() {},
    open(conn) {
      conns.push(conn)
      if (conns.length === 2) open()
    },
  })
  await connect(server.port)
  await connect(server.port, { host: '::1' })
  await passed
  for (const conn of conns) t.is((await conn.socketOptions()).dscp, 10)
})

test('with linger: 0 destroy resets the connection, and end still loses nothing', async (t) => {
  // How the connection ended for the peer: with an end or a reset.
  const outcome = async (socket: net.Socket) => {
    socket.removeAllListeners('error')
    const [event] = await Promise.race([
      once(socket, 'end').then(() => ['end']),
      once(socket, 'error').then((error) => [(error[0] as NodeJS.ErrnoException).code]),
    ]).catch((error: NodeJS.ErrnoException) => [error.code])
    return event
  }
  for (const [linger, expected] of [
    [0, 'ECONNRESET'],
    [false, 'end'],
  ] as const) {
    const [conn, socket] = await pair(t, { linger })
    socket.resume()
    const met = outcome(socket)
    conn.destroy()
    t.is(await met, expected)

    const [changed, other] = await pair(t, { linger: linger === 0 ? false : 0 })
    await changed.setSocketOptions({ linger })
    other.resume()
    const otherMet = outcome(other)
    changed.destroy()
    t.is(await otherMet, expected)
  }
  // The peer ends first, so the socket is closed while its last bytes are still in transit.
  const big = Buffer.alloc(4 << 20, 'x')
  const server = await start(t, { linger: 0, message: (conn) => conn.end(big) })
  for (let round = 0; round < 5; round++) {
    const socket = await connectHalfOpen(server.port)
    socket.end('hello')
    const all = await readAll(socket)
    t.is(all.length, big.length)
    t.true(all.equals(big))
  }
})

test('reading and setting the options of a closed connection rejects', async (t) => {
  const [conn, socket] = await pair(t, {})
  socket.resume()
  conn.destroy()
  // At once, and after the socket is closed.
  await t.throwsAsync(conn.setSocketOptions({ noDelay: false }), { code: 'ERR_CLOSED' })
  await closed(socket)
  await t.throwsAsync(conn.setSocketOptions({ noDelay: false }), { code: 'ERR_CLOSED' })
  await t.throwsAsync(conn.socketOptions(), { code: 'ERR_CLOSED' })
})

test('options set on a closed connection do not reach the next connection in its slot', async (t) => {
  const conns: Conn[] = []
  let opened = gate()
  const server = await start(t, {
    loops: 1,
    message() {},
    open(conn) {
      conns.push(conn)
      opened.open()
    },
  })
  const first = await connect(server.port)
  first.resume()
  await opened.passed
  opened = gate()
  // Reset by the peer: this side still considers the connection open.
  first.resetAndDestroy()
  await closed(first)
  const asked = Promise.allSettled(
    Array.from({ length: 50 }, () => conns[0]?.setSocketOptions({ receiveBuffer: 5000 })),
  )
  const second = await connect(server.port)
  await opened.passed
  for (const result of await asked) {
    if (result.status === 'rejected') {
      const { code } = result.reason as MillraceError
      t.true(['ERR_CLOSED', 'EINVAL', 'ECONNRESET'].includes(code), code)
    }
  }
  await t.throwsAsync(conns[0]?.socketOptions() as Promise<SocketOptions>, { code: 'ERR_CLOSED' })
  t.not((await conns[1]?.socketOptions())?.receiveBuffer, IS_LINUX ? 10_000 : 5000)
  second.destroy()
})

test('rejections that nobody awaits do not end the process', async (t) => {
  const [conn, socket] = await pair(t, {})
  void conn.setSocketOptions({ sendBuffer: 10_000 })
  void conn.socketOptions()
  conn.destroy()
  void conn.socketOptions()
  await closed(socket.resume())
  t.pass()
})

/** Values that each option refuses. */
const REFUSED: Record<string, readonly unknown[]> = {
  noDelay: ['true', null, 1],
  keepAlive: [
    'true',
    null,
    1,
    [],
    { idle: 0 },
    { idle: 1.5 },
    { idle: '1000' },
    { idle: 32_767_001 },
    { interval: 0 },
    { count: 0 },
    { count: 128 },
    { every: 1 },
  ],
  linger: [1, 5000, true, null, '0', -1],
  receiveBuffer: [0, -1, 1.5, '1', null, 2 ** 31],
  sendBuffer: [0, -1, 1.5, '1', null, 2 ** 31],
  userTimeout: [-1, 1.5, '1', null, 2 ** 31],
  quickAck: ['true', null, 1],
  dscp: [-1, 64, 1.5, '1', null],
}
const HERE = Object.entries(REFUSED).filter(
  ([name]) =>
    (IS_LINUX || !['userTimeout', 'quickAck'].includes(name)) && !(IS_WINDOWS && name === 'dscp'),
)

for (const [name, values] of HERE) {
  test(`${name} refuses invalid values, at the start and later`, async (t) => {
    const [conn] = await pair(t, {})
    for (const value of values) {
      const options = { [name]: value } as SocketOptions
      const expected = { code: 'ERR_INVALID_OPTION', message: new RegExp(name) }
      const listen = { address: ANY, ...options }
      await t.throwsAsync(serve({ listen: ANY, loops: LOOPS, ...options }), expected)
      await t.throwsAsync(serve({ listen, loops: LOOPS }), expected)
      await t.throwsAsync(conn.setSocketOptions(options), expected)
    }
  })
}

if (!IS_WINDOWS) {
  test('a Unix socket supports the buffer options and refuses the others in its spec', async (t) => {
    const address = `unix://${freePath(t)}`
    // Options of the server that do not apply are ignored.
    const [conn] = await pair(t, {
      listen: address,
      noDelay: false,
      keepAlive: true,
      receiveBuffer: 30_000,
    })
    const found = await conn.socketOptions()
    t.deepEqual(Object.keys(found).sort(), ['receiveBuffer', 'sendBuffer'])
    t.is(found.receiveBuffer, IS_LINUX ? 60_000 : 30_000)
    await conn.setSocketOptions({ sendBuffer: 25_000 })
    t.is((await conn.socketOptions()).sendBuffer, IS_LINUX ? 50_000 : 25_000)
    for (const options of [
      { noDelay: true },
      { keepAlive: true },
      { linger: 0 },
      { dscp: 1 },
    ] as SocketOptions[]) {
      await t.throwsAsync(conn.setSocketOptions(options), { code: 'ERR_INVALID_OPTION' })
      const listen = { address: `unix://${freePath(t)}`, ...options }
      await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_OPTION' })
    }
    const mode = { listen: { address: ANY, mode: 0o600 }, loops: LOOPS }
    await t.throwsAsync(serve(mode), { code: 'ERR_INVALID_OPTION', message: /mode/ })
  })
}

test('setSocketOptions refuses unknown options and accepts an empty object', async (t) => {
  const [conn] = await pair(t, {})
  for (const options of [
    { nodelay: true },
    { backlog: 5 },
    { lingerTimeout: 1 },
    null,
    5,
  ] as never[])
    await t.throwsAsync(conn.setSocketOptions(options), { code: 'ERR_INVALID_OPTION' })
  await t.notThrowsAsync(conn.setSocketOptions({}))
  await t.notThrowsAsync(conn.setSocketOptions({ noDelay: undefined } as never))
})

if (IS_LINUX) {
  const inNetwork = HAS_NETWORKS ? test : test.skip
  inNetwork('with fastOpen a client sends its first bytes with the SYN', async (t) => {
    const { rest } = launch(t, 'fast-open', { args: [LOOPS], network: true })
    // Each line ends with the number of connections so far that began with data in their SYN.
    t.deepEqual(await rest(), [
      'first: hello 5, 0',
      'second: hello 5, 1',
      'large: many  1048576, 2',
      'silent: ECONNRESET, 2',
      'nobody: ECONNREFUSED, 2',
    ])
  })

  test('fastOpen of a client must be a boolean, and needs TCP', async (t) => {
    const { port } = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
    const to = `tcp://127.0.0.1:${port}`
    const option = { code: 'ERR_INVALID_OPTION', message: /fastOpen/ }
    await t.throwsAsync(dial({ to, fastOpen: 16 as never }), option)
    await t.throwsAsync(dial({ to: 'unix:///tmp/x', fastOpen: true }), option)
    const conn = await dial({ to, fastOpen: false })
    conn.write('hello')
    t.is(String((await conn[Symbol.asyncIterator]().next()).value), 'hello')
    conn.destroy()
  })

  test('bindToDevice binds an outgoing connection to an interface, and refuses an unknown one', async (t) => {
    const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
    const to = `tcp://127.0.0.1:${server.port}`
    let conn: Conn
    try {
      conn = await dial({ to, bindToDevice: 'lo' })
    } catch (error) {
      t.is((error as MillraceError).code, 'EPERM')
      t.log('not permitted: this process lacks CAP_NET_RAW')
      return
    }
    t.teardown(() => conn.destroy())
    conn.write('hello')
    for await (const chunk of conn) {
      t.is(String(chunk), 'hello')
      break
    }
    await t.throwsAsync(dial({ to, bindToDevice: 'none0' }), { code: 'ENODEV' })
    const option = { code: 'ERR_INVALID_OPTION' }
    await t.throwsAsync(dial({ to, bindToDevice: '' }), option)
    await t.throwsAsync(dial({ to: 'unix:///tmp/x', bindToDevice: 'lo' }), option)
  })
}
