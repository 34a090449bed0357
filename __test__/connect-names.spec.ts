/** Host names, with a resolver whose answers each test sets. */

import dns from 'node:dns/promises'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import test from 'ava'
import { bind, type Conn, connect, type MillraceError, serve } from 'millrace'
import { addressesOf } from '../lib/address/resolve.js'
import { blackhole, deadPort, dial, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { millraceThreadsOf } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'
import { linux } from './support/system.js'

type Answer = readonly string[] | Error | Promise<never>

/** The resolver's answer for each name. */
const names = new Map<string, Answer>()

dns.lookup = (async (host: string) => {
  const answer = await (names.get(host) ?? new Error('unknown'))
  if (answer instanceof Error) throw answer
  return answer.map((address) => ({ address, family: net.isIP(address) }))
}) as unknown as typeof dns.lookup
syncBuiltinESMExports()

/** A listener on that address of this machine, which says its host to each client. */
async function listener(host: string, port = 0): Promise<{ port: number; close(): void }> {
  const server = net.createServer((socket) => socket.on('error', () => {}).end(`this is ${host}`))
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => void server.close(),
  }
}

async function text(conn: Conn): Promise<string> {
  let all = ''
  for await (const chunk of conn) all += chunk
  return all
}

test('IPv4 and IPv6 addresses are tried alternately, beginning with the family of the first', async (t) => {
  const orders: [string[], string[]][] = [
    [['::1'], ['::1']],
    [
      ['::1', '::2', '::3', '10.0.0.1', '10.0.0.2'],
      ['::1', '10.0.0.1', '::2', '10.0.0.2', '::3'],
    ],
    [
      ['10.0.0.1', '::1', '::2', '::3'],
      ['10.0.0.1', '::1', '::2', '::3'],
    ],
    [
      ['10.0.0.1', '10.0.0.1', '10.0.0.2', '::1'],
      ['10.0.0.1', '::1', '10.0.0.2'],
    ],
  ]
  for (const [given, expected] of orders) {
    names.set('order.test', given)
    const addresses = await addressesOf('order.test', 80)
    t.deepEqual(
      addresses.map(({ host }) => host),
      expected,
    )
  }
})

linux('after an address that refuses, the next one is tried at once', async (t) => {
  const { port, close } = await listener('127.0.0.3')
  t.teardown(close)
  names.set('refused.test', ['127.0.0.2', '127.0.0.3'])
  const conn = await dial(t, { to: `tcp://refused.test:${port}` })
  t.is(conn.remote, `127.0.0.3:${port}`)
  t.is(await text(conn), 'this is 127.0.0.3')
})

linux(
  'after an address that does not answer, the next one is tried, and only one connection opens',
  async (t) => {
    const port = await blackhole(t, '127.0.0.2')
    const { close } = await listener('127.0.0.3', port)
    t.teardown(close)
    names.set('silent.test', ['127.0.0.2', '127.0.0.3', '127.0.0.4'])
    let opens = 0
    const conn = await dial(t, { to: `tcp://silent.test:${port}`, open: () => void opens++ })
    t.is(conn.remote, `127.0.0.3:${port}`)
    t.is(await text(conn), 'this is 127.0.0.3')
    t.is(opens, 1)
  },
)

linux(
  'the third address is used if the first refuses and the second does not answer',
  async (t) => {
    const port = await blackhole(t, '127.0.0.3')
    const { close } = await listener('127.0.0.4', port)
    t.teardown(close)
    names.set('both.test', ['127.0.0.2', '127.0.0.3', '127.0.0.4'])
    const conn = await dial(t, { to: `tcp://both.test:${port}` })
    t.is(conn.remote, `127.0.0.4:${port}`)
  },
)

linux(
  'if all addresses fail, connect rejects with the error of the first and lists all errors as the cause',
  async (t) => {
    const port = await deadPort()
    names.set('dead.test', ['127.0.0.2', '127.0.0.3'])
    const error = await t.throwsAsync<MillraceError>(dial(t, { to: `tcp://dead.test:${port}` }))
    t.is(error.code, 'ECONNREFUSED')
    t.is(error.address, '127.0.0.2')
    const cause = error.cause as AggregateError
    t.true(cause instanceof AggregateError)
    t.deepEqual(
      cause.errors.map(({ code, address }) => [code, address]),
      [
        ['ECONNREFUSED', '127.0.0.2'],
        ['ECONNREFUSED', '127.0.0.3'],
      ],
    )
  },
)

linux('with localAddress only addresses of the same family are tried', async (t) => {
  const { port, close } = await listener('127.0.0.2')
  t.teardown(close)
  names.set('mixed.test', ['::1', '127.0.0.2'])
  const conn = await dial(t, { to: `tcp://mixed.test:${port}`, localAddress: '127.0.0.1' })
  t.is(conn.remote, `127.0.0.2:${port}`)
  names.set('six.test', ['::1'])
  await t.throwsAsync(dial(t, { to: `tcp://six.test:${port}`, localAddress: '127.0.0.1' }), {
    code: 'ERR_INVALID_ADDRESS',
  })
})

test('an address without a host connects to this machine', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.end('here'))
  names.set('localhost', ['127.0.0.1'])
  t.is(await text(await dial(t, { to: `tcp://:${to.split(':').pop()}` })), 'here')
})

test("an unknown name rejects with the resolver's error", async (t) => {
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND unknown.test'), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
  })
  names.set('unknown.test', unknown)
  const error = await t.throwsAsync<MillraceError>(dial(t, { to: 'tcp://unknown.test:80' }))
  t.is(error.code, 'ENOTFOUND')
  t.is(error.syscall, 'getaddrinfo')
  t.is(error.address, 'unknown.test')
  t.is(error.cause, unknown)
})

/** Ways to use a name. */
const USES: Readonly<Record<string, (name: string) => Promise<unknown>>> = {
  serve: (name) => serve({ listen: `tcp://${name}:0`, loops: LOOPS }),
  'serve, behind another address': (name) =>
    serve({ listen: ['tcp://127.0.0.1:0', { host: name, port: 0 }], loops: LOOPS }),
  connect: (name) => connect({ to: `tcp://${name}:80`, loops: LOOPS }),
  'connect with localAddress': (name) =>
    connect({ to: `tcp://${name}:80`, localAddress: '127.0.0.1', loops: LOOPS }),
  'connect with reconnect': (name) =>
    connect({ to: `tcp://${name}:80`, reconnect: { attempts: 1 }, loops: LOOPS }),
  'connect for datagrams': (name) => connect({ to: `udp://${name}:80`, loops: LOOPS }),
  bind: (name) => bind({ address: `udp://${name}:0`, loops: LOOPS }),
}

for (const [use, way] of Object.entries(USES)) {
  test(`${use}: a name that has no address rejects with ENOTFOUND`, async (t) => {
    names.set('empty.test', [])
    const error = await t.throwsAsync<MillraceError>(way('empty.test'))
    t.is(error.name, 'MillraceError')
    t.is(error.code, 'ENOTFOUND')
    t.is(error.syscall, 'getaddrinfo')
    t.is(error.address, 'empty.test')
    t.is(error.message, 'getaddrinfo ENOTFOUND empty.test: the name has no address')
  })
}

test('a listener with a name that has no address is not added to a server', async (t) => {
  names.set('empty.test', [])
  const server = await start(t, { message() {} })
  await t.throwsAsync(server.listen('tcp://empty.test:0'), { code: 'ENOTFOUND' })
  t.is(server.listeners.length, 1)
})

test.serial(
  'timeout and signal also end a name lookup, and its late answer is ignored',
  async (t) => {
    const to = await peer(t, 'tcp', () => t.fail('connected'))
    const port = to.split(':').pop()
    const answer = gate<string[]>()
    names.set('slow.test', answer.passed as unknown as Promise<never>)
    const timeout = dial(t, { to: `tcp://slow.test:${port}`, timeout: 10 })
    await t.throwsAsync(timeout, { code: 'ERR_CONNECT_TIMEOUT' })
    const abort = new AbortController()
    const aborted = dial(t, { to: `tcp://slow.test:${port}`, signal: abort.signal })
    abort.abort()
    t.is(await aborted.catch((error: unknown) => error), abort.signal.reason)
    answer.open(['127.0.0.1'])
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(await millraceThreadsOf(0), [])
  },
)

linux('a timeout gives up all addresses', async (t) => {
  const port = await blackhole(t, '127.0.0.2')
  await blackhole(t, '127.0.0.3', port)
  names.set('holes.test', ['127.0.0.2', '127.0.0.3'])
  const error = await t.throwsAsync<MillraceError>(
    connect({ to: `tcp://holes.test:${port}`, timeout: 400 }),
  )
  t.is(error.code, 'ERR_CONNECT_TIMEOUT')
})

test('serve gives up at once when its signal aborts during a look-up', async (t) => {
  names.set('slow.test', new Promise<never>(() => {}))
  const controller = new AbortController()
  const reason = new Error('mine')
  const serving = serve({ listen: 'tcp://slow.test:0', signal: controller.signal })
  controller.abort(reason)
  t.is(await serving.catch((error) => error), reason)
})
