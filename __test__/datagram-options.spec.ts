import test from 'ava'
import { bind, connect, type DatagramSocket, json, line, raw, serve, varint } from 'millrace'
import { bound, peer, portOf } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { LOOPS } from './support/serve.js'
import { IS_LINUX } from './support/system.js'

const NOT_NUMBERS = ['1', null, true, {}, [], 1.5, Number.NaN, Number.POSITIVE_INFINITY, -1]
const NOT_BOOLEANS = ['true', null, 1, 0, {}]
const NOT_FUNCTIONS = ['x', null, 1, {}, []]

/** Values that each option refuses. */
const REFUSED: Record<string, readonly unknown[]> = {
  loops: [0, -1, 1.5, 129, Number.NaN, '1', 'Inline', null, true, {}, []],
  reusePort: NOT_BOOLEANS,
  reuseAddress: NOT_BOOLEANS,
  receiveOffload: NOT_BOOLEANS,
  max: [...NOT_NUMBERS, 0, 65_528],
  highWaterMark: [...NOT_NUMBERS, 0, 2 ** 31, 2 ** 20 + 1],
  maxWriteBuffer: [...NOT_NUMBERS, 0, 2 ** 31],
  maxParked: [...NOT_NUMBERS, 0, 2 ** 31],
  broadcast: NOT_BOOLEANS,
  multicast: ['239.1.2.3', null, 1, { group: [] }, { groups: '239.1.2.3' }, { ttl: 256 }],
  ttl: [...NOT_NUMBERS, 0, 256],
  receiveBuffer: [...NOT_NUMBERS, 0, 2 ** 31],
  sendBuffer: [...NOT_NUMBERS, 0, 2 ** 31],
  dscp: [...NOT_NUMBERS, 64],
  bindToDevice: ['', 'x'.repeat(16), 'a\0b', 1, null],
  ipv6Only: [...NOT_BOOLEANS, true, false],
  ringBytes: [...NOT_NUMBERS, 0, 2048, 4095, 5000, 2 ** 31],
  signal: [null, {}, 'x', new AbortController()],
  codec: [null, 'line', {}, { framing: raw() }, { ...raw(), decode: 1 }, () => line()],
  message: NOT_FUNCTIONS,
  drain: NOT_FUNCTIONS,
  close: NOT_FUNCTIONS,
  error: NOT_FUNCTIONS,
  open: [() => {}],
}

for (const [name, values] of Object.entries(REFUSED)) {
  test(`${name} refuses invalid values`, async (t) => {
    for (const value of values) {
      const options = { address: 'udp://127.0.0.1:0', loops: 1, [name]: value }
      const error = await t.throwsAsync(bind(options as never), undefined, `took ${String(value)}`)
      t.is(codeOf(error), 'ERR_INVALID_OPTION', String(value))
      t.regex(error?.message ?? '', new RegExp(name))
    }
  })
}

/** Values at the limits of each option. */
const TAKEN: Record<string, readonly unknown[]> = {
  loops: [1, 'inline', undefined],
  reusePort: process.platform === 'linux' ? [true, false, undefined] : [false, undefined],
  reuseAddress: [true, false, undefined],
  receiveOffload: [true, false, undefined],
  max: [1, 65_527, undefined],
  highWaterMark: [1, 2 ** 20, undefined],
  maxWriteBuffer: [1, 2 ** 31 - 1, undefined],
  maxParked: [1, 2 ** 31 - 1, undefined],
  broadcast: [true, false, undefined],
  multicast: [{}, { groups: [], ttl: 0, loopback: false, interface: '127.0.0.1' }, undefined],
  ttl: [1, 255, undefined],
  receiveBuffer: [1, 2 ** 31 - 1, undefined],
  sendBuffer: [1, 2 ** 31 - 1, undefined],
  ipv6Only: [undefined],
  ringBytes: [4096, 2 ** 16, undefined],
  signal: [new AbortController().signal, undefined],
  codec: [line(), json(varint()), undefined],
}

for (const [name, values] of Object.entries(TAKEN)) {
  test(`${name} accepts valid values`, async (t) => {
    for (const value of values) {
      const options = { address: 'udp://127.0.0.1:0', loops: LOOPS, [name]: value }
      const socket = await bind(options as never)
      await socket.close()
    }
    t.pass()
  })
}

test('max is at most a quarter of a ring', async (t) => {
  const small = { address: 'udp://127.0.0.1:0', loops: 1, ringBytes: 4096 }
  const error = await t.throwsAsync(bind({ ...small, max: 977 }))
  t.is(codeOf(error), 'ERR_INVALID_OPTION')
  const socket = await bound(t, { ringBytes: 4096, max: 976, message() {} })
  const client = await peer(t)
  socket.send(Buffer.alloc(976), `127.0.0.1:${client.port}`)
  t.is((await client.next()).length, 976)
})

test('an address needs the scheme udp and a port', async (t) => {
  const wrong = [
    'tcp://127.0.0.1:0',
    'unix:///tmp/x',
    'udp:127.0.0.1:0',
    'udp://127.0.0.1',
    'udp://127.0.0.1:65536',
    'udp://::1:0',
    '127.0.0.1:0',
    undefined,
  ]
  for (const address of wrong) {
    const error = await t.throwsAsync(bind({ address: address as string }), undefined, address)
    t.is(codeOf(error), 'ERR_INVALID_ADDRESS', address)
  }
  // `serve` listens for streams only.
  t.is(codeOf(await t.throwsAsync(serve({ listen: 'udp://127.0.0.1:0' }))), 'ERR_INVALID_ADDRESS')
})

test('a host name binds its first address', async (t) => {
  const socket = await bound(t, { address: 'udp://localhost:0', message() {} })
  t.regex(socket.address, /^udp:\/\/(127\.0\.0\.1|\[::1\]):\d+$/)
})

test('a bind that fails because of its group leaves nothing bound', async (t) => {
  const first = await bound(t, { message() {} })
  await first.close()
  const address = first.address
  const groups = ['239.1.2.3', '10.0.0.1']
  const error = await t.throwsAsync(bind({ address, loops: 1, multicast: { groups } }))
  t.is(codeOf(error), 'ERR_INVALID_ADDRESS')
  const again = await bound(t, { address, message() {} })
  t.is(portOf(again.address), first.port)
})

test('a signal closes the socket, and an aborted signal prevents binding', async (t) => {
  const { passed, open } = gate<Error | undefined>()
  const controller = new AbortController()
  const { signal } = controller
  const socket = await bound(t, { signal, message() {}, close: (_, error) => open(error) })
  controller.abort()
  t.is(await passed, undefined)
  t.is(socket.readyState, 'closed')
  const refused = await bind({ address: 'udp://127.0.0.1:0', signal }).catch(String)
  t.regex(String(refused), /AbortError/)
})

test('close is called once, even if close() is called several times', async (t) => {
  let closes = 0
  const socket = await bound(t, { message() {}, close: () => closes++ })
  await Promise.all([socket.close(), socket.close(), socket[Symbol.asyncDispose]()])
  await socket.close()
  t.is(closes, 1)
  t.false(socket.send('x', '127.0.0.1:9'))
  socket.pause()
  socket.resume()
  t.is(socket.ref().unref(), socket)
})

test('stats stay readable after close', async (t) => {
  const socket: DatagramSocket = await bound(t, {
    message: (socket, message, info) => void socket.send(message, info),
  })
  const client = await peer(t)
  await client.ask('words', portOf(socket.address))
  await socket.close()
  t.deepEqual(socket.stats(), {
    received: 1,
    sent: 1,
    bytesRead: 5,
    bytesWritten: 5,
    dropped: 0,
    discarded: 0,
    truncated: 0,
    errors: 0,
  })
})

const HAS_DSCP = process.platform !== 'win32'

test('T31 a socket has the requested options, and they can change while it is open', async (t) => {
  const dscp = HAS_DSCP ? { dscp: 10 } : {}
  const socket = await bound(t, {
    receiveBuffer: 32_768,
    sendBuffer: 16_384,
    ...dscp,
    message() {},
  })
  const scale = IS_LINUX ? 2 : 1
  t.deepEqual(await socket.socketOptions(), {
    receiveBuffer: 32_768 * scale,
    sendBuffer: 16_384 * scale,
    ...dscp,
  })
  await socket.setSocketOptions({ receiveBuffer: 65_536 })
  await socket.setSocketOptions({ sendBuffer: 8_192, ...(HAS_DSCP ? { dscp: 46 } : {}) })
  t.deepEqual(await socket.socketOptions(), {
    receiveBuffer: 65_536 * scale,
    sendBuffer: 8_192 * scale,
    ...(HAS_DSCP ? { dscp: 46 } : {}),
  })
  await socket.setSocketOptions({})
  await t.throwsAsync(socket.setSocketOptions(null as never), { code: 'ERR_INVALID_OPTION' })
  for (const options of [{ noDelay: true }, { dscp: 64 }, { sendBuffer: 0 }, { sendBuffer: '1' }]) {
    const attempt = socket.setSocketOptions({ receiveBuffer: 4_096, ...options } as never)
    await t.throwsAsync(attempt, { code: 'ERR_INVALID_OPTION' })
    // If one option is refused, none is set.
    t.is((await socket.socketOptions()).receiveBuffer, 65_536 * scale)
  }
  await socket.close()
  await t.throwsAsync(socket.setSocketOptions({ sendBuffer: 4_096 }), { code: 'ERR_CLOSED' })
  await t.throwsAsync(socket.socketOptions(), { code: 'ERR_CLOSED' })
})

test('a connected socket has its own options, over IPv4 and IPv6', async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    const other = await peer(t, { host }).catch(() => undefined)
    if (other === undefined) continue
    const shown = host.includes(':') ? `[${host}]` : host
    const socket = await connect({
      to: `udp://${shown}:${other.port}`,
      ...(HAS_DSCP ? { dscp: 8 } : {}),
      message() {},
    })
    t.teardown(() => socket.close())
    t.is((await socket.socketOptions()).dscp, HAS_DSCP ? 8 : undefined)
    await socket.setSocketOptions({ sendBuffer: 16_384 })
    t.is((await socket.socketOptions()).sendBuffer, 16_384 * (IS_LINUX ? 2 : 1))
    t.true(socket.send('hello'))
    t.is(String(await other.next()), 'hello')
  }
})

if (IS_LINUX) {
  test('bindToDevice binds a socket to an interface', async (t) => {
    const none = await t.throwsAsync(bound(t, { bindToDevice: 'none0' }))
    t.true(['ENODEV', 'EPERM'].includes(codeOf(none) ?? ''))
    const own = await bound(t, {
      address: 'udp://0.0.0.0:0',
      bindToDevice: 'lo',
      message: (socket, message, info) => void socket.send(message, info),
    }).catch((error: unknown) => error as Error)
    if (own instanceof Error) {
      t.log('skipped: binding to an interface is not permitted here')
      t.is(codeOf(own), 'EPERM')
      return
    }
    const client = await peer(t)
    t.is(String(await client.ask('by lo', own.port)), 'by lo')
  })
} else {
  test('bindToDevice is refused on a system without it', async (t) => {
    await t.throwsAsync(bound(t, { bindToDevice: 'lo0' }), { code: 'ERR_UNSUPPORTED' })
  })
}
