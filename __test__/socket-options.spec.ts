import { once } from 'node:events'
import type net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Conn, connect as dial, type MillraceError, type SocketOptions, serve } from 'millrace'
import { closed, connect, connectTo, read, readAll } from './support/client.js'
import { gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { HAS_NETWORKS, launch } from './support/process.js'
import { ANY, LOOPS, start } from './support/serve.js'
import { IS_LINUX, IS_WINDOWS } from './support/system.js'

/** A server's connection, and the socket at its other end. */
async function pair(
  t: ExecutionContext,
  options: Parameters<typeof start>[1],
): Promise<[conn: Conn, socket: net.Socket]> {
  const { passed, open } = gate<Conn>()
  const server = await start(t, { message() {}, ...options, open: (conn) => open(conn as Conn) })
  const socket = await connectTo(server.addresses[0])
  return [await passed, socket]
}

function of(isHere: boolean, ...options: SocketOptions[]): [SocketOptions][] {
  return isHere ? options.map((each) => [each]) : []
}

/** An option, and what is read back of it where that is something else. */
const VALUES: readonly [options: SocketOptions, seen?: SocketOptions][] = [
  [{ noDelay: true }],
  [{ noDelay: false }],
  [{ keepAlive: false }],
  [{ keepAlive: { idle: 5000, interval: 2000, count: 3 } }],
  // Seconds, rounded up.
  [
    { keepAlive: { idle: 4001, interval: 1, count: 127 } },
    { keepAlive: { idle: 5000, interval: 1000, count: 127 } },
  ],
  [{ linger: 0 }],
  [{ linger: false }],
  // Linux reserves twice as much.
  [{ receiveBuffer: 20_000 }, { receiveBuffer: IS_LINUX ? 40_000 : 20_000 }],
  [{ sendBuffer: 20_000 }, { sendBuffer: IS_LINUX ? 40_000 : 20_000 }],
  ...of(!IS_WINDOWS, { dscp: 46 }, { dscp: 0 }),
  ...of(IS_LINUX, { userTimeout: 12_345 }, { userTimeout: 0 }),
  ...of(IS_LINUX, { quickAck: true }, { quickAck: false }),
]

for (const [options, seen = options] of VALUES) {
  const text = JSON.stringify(options)
  const hasIt = (t: ExecutionContext, found: SocketOptions) =>
    t.like(found, seen as Record<string, unknown>)

  test(`T5 a connection has what its server is told: ${text}`, async (t) => {
    const [conn] = await pair(t, options)
    hasIt(t, await conn.socketOptions())
  })

  test(`T5 a connection has what its listener is told, whatever its server is told: ${text}`, async (t) => {
    const others = { noDelay: !options.noDelay, keepAlive: true, receiveBuffer: 9000 }
    const [conn] = await pair(t, { ...others, listen: { address: ANY, ...options } })
    hasIt(t, await conn.socketOptions())
  })

  test(`T5 a connection that is open is told otherwise: ${text}`, async (t) => {
    const [conn, socket] = await pair(t, {})
    await conn.setSocketOptions(options)
    hasIt(t, await conn.socketOptions())
    // And goes on.
    conn.write('hello')
    t.is((await read(socket, 5)).toString(), 'hello')
  })

  // That one is a state, which the handshake may have changed again.
  if (options.quickAck !== undefined) continue
  test(`a connection that is begun here has what it is told: ${text}`, async (t) => {
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

test('what is not told is what the system has, but for noDelay', async (t) => {
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

test('an IPv6 connection has a class, and so has IPv4 on an IPv6 listener', async (t) => {
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

test('destroy resets with linger: 0, and end loses nothing', async (t) => {
  // The peer says whether it met a reset.
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
  // The peer ends first, so the socket is closed while its last bytes are on their way.
  const big = Buffer.alloc(4 << 20, 'x')
  const server = await start(t, { linger: 0, message: (conn) => conn.end(big) })
  for (let round = 0; round < 5; round++) {
    const socket = await connect(server.port, { allowHalfOpen: true })
    socket.end('hello')
    const all = await readAll(socket)
    t.is(all.length, big.length)
    t.true(all.equals(big))
  }
})

test('options of a connection that is closed reject, and touch no descriptor', async (t) => {
  const [conn, socket] = await pair(t, {})
  socket.resume()
  conn.destroy()
  // At once, and when it is gone.
  await t.throwsAsync(conn.setSocketOptions({ noDelay: false }), { code: 'ERR_CLOSED' })
  await closed(socket)
  await t.throwsAsync(conn.setSocketOptions({ noDelay: false }), { code: 'ERR_CLOSED' })
  await t.throwsAsync(conn.socketOptions(), { code: 'ERR_CLOSED' })
})

test('a late answer belongs to the connection that was asked, not to the next that has its place', async (t) => {
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
  // Reset from the other side: this side still takes it for open.
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

test('an answer that nobody awaits ends no process', async (t) => {
  const [conn, socket] = await pair(t, {})
  void conn.setSocketOptions({ sendBuffer: 10_000 })
  void conn.socketOptions()
  conn.destroy()
  void conn.socketOptions()
  await closed(socket.resume())
  t.pass()
})

/** What each option refuses. */
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
  test(`${name} refuses what it cannot be, at the start and later`, async (t) => {
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
  test('a Unix socket has buffers, and refuses the others when they are named for it', async (t) => {
    const address = `unix://${freePath(t)}`
    // Of the server, what does not apply is passed over.
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

test('an option that is none is refused', async (t) => {
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
    // Behind what came back, or the error: how many connections began like that so far.
    t.deepEqual(await rest(), [
      'first: hello 5, 0',
      'second: hello 5, 1',
      'large: many  1048576, 2',
      'silent: ECONNRESET, 2',
      'nobody: ECONNREFUSED, 2',
    ])
  })

  test('fastOpen of a client is a boolean, and for TCP', async (t) => {
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

  test('a connection that is made by a device goes by it, and by none that is not there', async (t) => {
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
