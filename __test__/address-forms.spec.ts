/** Every form of an address, for `serve`, `connect` and `bind`, and every form that is refused. */

import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import {
  type Address,
  bind,
  type Conn,
  connect,
  type Listen,
  listener,
  type MillraceError,
  serve,
} from 'millrace'
import {
  endpointAddress,
  endpointFamily,
  endpointPort,
  formatEndpoint,
} from '../lib/address/endpoint.js'
import { showAddress } from '../lib/address/format.js'
import { closed, read } from './support/client.js'
import { bound, peer as datagramPeer } from './support/datagrams.js'
import { deadPort, dial } from './support/dial.js'
import { freePath } from './support/paths.js'
import { descriptors } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'
import { turns } from './support/turns.js'

const HAS_UNIX = process.platform !== 'win32'
const HAS_IPV6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')
const MESSAGE_FOR = { serve: 'tcp', connect: 'tcp', bind: 'udp' } as const

type Use = keyof typeof MESSAGE_FOR

/** Gives an address of any type to serve, connect or bind. */
function give(use: Use, address: unknown): Promise<{ close?: () => Promise<void> }> {
  if (use === 'serve') return serve({ listen: [address as Address], loops: LOOPS })
  if (use === 'bind') return bind({ address: address as Address, loops: LOOPS })
  return connect({ to: address as Address, loops: LOOPS }) as Promise<never>
}

/** What is echoed over a connection to that server. */
async function echoed(address: string): Promise<string> {
  const host = address.startsWith('tcp://[::1]') ? '::1' : '127.0.0.1'
  const socket = net.connect({ host, port: Number(address.split(':').pop()) })
  socket.write('hello')
  const answer = (await read(socket, 5)).toString()
  socket.end()
  await closed(socket)
  return answer
}

const echo = (conn: Conn, chunk: Buffer) => void conn.write(chunk)

/** An echo server on any free port of 127.0.0.1, and on ::1 where there is one. */
async function echoes(t: ExecutionContext) {
  const server = await start(t, { listen: 0, message: echo })
  return server.port
}

test('serve listens on a port of all addresses, given as a number, digits or an object', async (t) => {
  const url = await start(t, { listen: 'tcp://:0', message: echo })
  const host = url.addresses[0]?.replace(/\d+$/, '')
  for (const listen of [0, '0', { port: 0 }, { host: '', port: 0 }, { host: undefined, port: 0 }]) {
    const server = await start(t, { listen, message: echo })
    t.is(server.addresses[0], `${host}${server.port}`)
    t.is(await echoed(`tcp://127.0.0.1:${server.port}`), 'hello')
    if (HAS_IPV6) t.is(await echoed(`tcp://[::1]:${server.port}`), 'hello')
  }
})

test('serve takes the very port that a number or digits name', async (t) => {
  const port = await deadPort()
  for (const listen of [port, String(port), { port }, { host: '127.0.0.1', port }]) {
    const server = await start(t, { listen, message: echo })
    t.is(server.port, port)
    await server.close()
  }
})

test('serve listens on a host, given as an IP address or a name', async (t) => {
  const four = await start(t, { listen: { host: '127.0.0.1', port: 0 }, message: echo })
  t.deepEqual(four.addresses, [`tcp://127.0.0.1:${four.port}`])
  const name = await start(t, { listen: { host: 'localhost', port: 0 }, message: echo })
  const url = await start(t, { listen: 'tcp://localhost:0', message: echo })
  t.is(name.addresses.length, url.addresses.length)
  if (!HAS_IPV6) return
  const six = await start(t, { listen: { host: '::1', port: 0 }, message: echo })
  t.deepEqual(six.addresses, [`tcp://[::1]:${six.port}`])
  t.is(await echoed(`tcp://[::1]:${six.port}`), 'hello')
})

test('a zone is part of a host without brackets', async (t) => {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const found = addresses?.find((each) => each.family === 'IPv6' && each.scopeid !== 0)
    if (found?.family !== 'IPv6') continue
    const listen = { host: `${found.address}%${name}`, port: 0 }
    const server = await start(t, { listen, message: echo })
    t.is(server.addresses[0], `tcp://[${found.address}%${found.scopeid}]:${server.port}`)
    const conn = await dial(t, { to: { ...listen, port: server.port } })
    t.is(conn.remote, `[${found.address}%${found.scopeid}]:${server.port}`)
  }
  t.pass()
})

test('several forms stand in one list, each with its options beside its address', async (t) => {
  const own = listener({ port: 0, host: '127.0.0.1', message: (conn) => void conn.write('owned') })
  const listen: Listen<Buffer, Uint8Array | string, undefined>[] = [
    0,
    '0',
    { port: 0, host: '127.0.0.1', noDelay: false, message: (conn) => void conn.write('mine.') },
    { address: 0, backlog: 5 },
    { address: { host: '127.0.0.1', port: 0 } },
    own,
  ]
  const server = await start(t, { listen, message: echo })
  t.is(server.listeners.length, listen.length)
  const ports = server.listeners.map((each) => each.port as number)
  t.is(new Set(ports).size, listen.length)
  const answers = await Promise.all(ports.map((port) => echoed(`tcp://127.0.0.1:${port}`)))
  t.deepEqual(answers, ['hello', 'hello', 'mine.', 'hello', 'hello', 'owned'])
  const added = await server.listen({ host: '127.0.0.1', port: 0 })
  t.is(added.address, `tcp://127.0.0.1:${added.port}`)
  t.is((await server.listen(0)).port, server.listeners.at(-1)?.port)
  t.deepEqual(own.address, { port: 0, host: '127.0.0.1' })
})

test('server.port is the port of the first address that is listened on', async (t) => {
  const server = await start(t, { listen: [{ host: '127.0.0.1', port: 0 }, 0], message: echo })
  const [first, second] = server.listeners
  t.is(server.addresses[0], `tcp://127.0.0.1:${server.port}`)
  t.is(server.port, first?.port as number)
  await first?.close()
  t.is(server.port, second?.port as number)
  await second?.close()
  t.is((server as { port?: number }).port, undefined)
})

test('server.port stays readable after the server is closed', async (t) => {
  const server = await start(t, { listen: 0, message: echo })
  const { port } = server
  await server.close()
  t.is(server.port, port)
})

if (HAS_UNIX) {
  test('serve and connect take the path of a Unix socket, which has no port', async (t) => {
    const path = freePath(t)
    const server = await start(t, { listen: { path, mode: 0o600 }, message: echo })
    t.deepEqual(server.addresses, [`unix://${path}`])
    t.is((server as { port?: number }).port, undefined)
    t.is(server.listeners[0]?.port, undefined)
    for (const to of [{ path }, `unix://${path}`]) {
      const conn = await dial(t, { to })
      conn.write('hello')
      t.is(String((await conn[Symbol.asyncIterator]().next()).value), 'hello')
    }
    const numbered = await start(t, { listen: { path: `${freePath(t)}:80` }, message: echo })
    t.is((numbered as { port?: number }).port, undefined)
  })
}

if (process.platform === 'linux') {
  test('a path that begins with @ is an abstract name', async (t) => {
    const path = `@millrace-forms-${process.pid}`
    const server = await start(t, { listen: { path }, message: echo })
    t.deepEqual(server.addresses, [`unix://${path}`])
    const conn = await dial(t, { to: { path } })
    conn.write('hello')
    t.is(String((await conn[Symbol.asyncIterator]().next()).value), 'hello')
  })
}

test('connect without a host connects to this machine', async (t) => {
  const port = await echoes(t)
  for (const to of [port, String(port), { port }, { host: '', port }, `tcp://:${port}`]) {
    const conn = await dial(t, { to })
    t.regex(conn.remote, new RegExp(`^(127\\.0\\.0\\.1|\\[::1\\]):${port}$`))
  }
})

test('connect without a host tries all addresses of localhost', async (t) => {
  const four = await start(t, { listen: 'tcp://127.0.0.1:0', message: echo })
  t.is((await dial(t, { to: four.port })).remote, `127.0.0.1:${four.port}`)
  if (!HAS_IPV6) return
  const six = await start(t, { listen: 'tcp://[::1]:0', message: echo })
  const conn = await dial(t, { to: six.port }).catch((error: MillraceError) => error)
  // A resolver may know localhost by IPv4 alone.
  if ('remote' in conn) t.is(conn.remote, `[::1]:${six.port}`)
  else t.is(conn.code, 'ECONNREFUSED')
})

test('connect takes a host and a port', async (t) => {
  const port = await echoes(t)
  for (const host of HAS_IPV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    const conn = await dial(t, { to: { host, port } })
    t.is(conn.remote, host === '::1' ? `[::1]:${port}` : `${host}:${port}`)
  }
  t.true((await dial(t, { to: { host: 'localhost', port } })).remote.endsWith(`:${port}`))
})

test('errors of connecting show the address as it was written', async (t) => {
  const shown: [Address, string][] = [
    [{ host: '127.0.0.1', port: 9 }, '{ host: "127.0.0.1", port: 9 }'],
    ['tcp://127.0.0.1:9', 'tcp://127.0.0.1:9'],
  ]
  for (const [to, text] of shown) {
    const error = await t.throwsAsync<MillraceError>(dial(t, { to, localAddress: '::1' }))
    t.is(error.code, 'ERR_INVALID_ADDRESS')
    t.true(error.message.startsWith(`${text} has no address`), error.message)
  }
  t.is(showAddress(9000), '9000')
  t.is(showAddress({ path: '/run/my.sock' }), '{ path: "/run/my.sock" }')
})

test('bind takes a UDP port, given as a number, digits, an object or a URL', async (t) => {
  for (const address of [0, '0', { port: 0 }, { host: '', port: 0 }, 'udp://:0']) {
    const socket = await bound(t, {
      address,
      message: (socket, message, info) => void socket.send(message, info),
    })
    t.regex(socket.address, /^udp:\/\/(\[::\]|0\.0\.0\.0):[1-9]\d*$/)
    t.true(socket.address.endsWith(`:${socket.port}`))
    const client = await datagramPeer(t)
    t.is(String(await client.ask('hello', socket.port)), 'hello')
    if (!HAS_IPV6) continue
    const six = dgram.createSocket('udp6')
    t.teardown(() => six.close())
    six.send('hello', socket.port, '::1')
    t.is(String((await once(six, 'message'))[0]), 'hello')
  }
})

test('bind takes a host and a port', async (t) => {
  const socket = await bound(t, { address: { host: '127.0.0.1', port: 0 } })
  t.is(socket.address, `udp://127.0.0.1:${socket.port}`)
  const connected = await connect({ to: `udp://127.0.0.1:${socket.port}`, loops: LOOPS })
  t.teardown(() => connected.close())
  t.is(connected.address, `udp://127.0.0.1:${connected.port}`)
  t.not(connected.port, socket.port)
})

/** A form that every use refuses, and what the message shows, where `tcp` stands for the scheme of the use. */
const REFUSED: [address: unknown, message: string][] = [
  ['1.2.3.4:80', '"1.2.3.4:80" has no scheme: write tcp://1.2.3.4:80'],
  ['localhost:9000', '"localhost:9000" has no scheme: write tcp://localhost:9000'],
  ['localhost', 'has no scheme and no port: write a URL such as tcp://localhost:9000'],
  ['[::1]:80', '"[::1]:80" has no scheme: write tcp://[::1]:80'],
  ['::1', 'write a URL such as tcp://[::1]:9000'],
  ['::1:80', 'write tcp://[::1]:80'],
  [':9000', 'write tcp://:9000'],
  ['', '"" is empty: write a port such as 9000, a URL such as tcp://127.0.0.1:9000'],
  ['  ', 'is blank: write a port such as 9000'],
  [' 80', '" 80" has spaces around it: write 80'],
  ['80\n', 'has spaces around it: write 80'],
  [' tcp://a:80', 'has spaces around it: write tcp://a:80'],
  ['080', '"080" has leading zeros: write 80'],
  ['080000', '"080000" is not a port: a port'],
  ['65536', '"65536" is not a port: a port'],
  ['-1', '"-1" is not a port: a port'],
  ['80.5', '"80.5" is not a port: a port'],
  ['1e3', '"1e3" is not a port: a port'],
  [65536, '65536 is not a port: a port'],
  [-1, '-1 is not a port: a port'],
  [80.5, '80.5 is not a port: a port'],
  [Number.NaN, 'NaN is not a port: a port'],
  [Number.POSITIVE_INFINITY, 'Infinity is not a port: a port'],
  ['http://1.2.3.4:80/x', 'has the unknown scheme http: write tcp://1.2.3.4:80'],
  ['TCP://1.2.3.4:80', 'has the scheme TCP in capital letters: write tcp://1.2.3.4:80'],
  ['a:b:c', 'write a URL such as tcp://127.0.0.1:9000'],
  [undefined, 'undefined is not an address: write a port such as 9000'],
  [null, 'null is not an address: write'],
  [true, 'true is not an address: write'],
  [9000n, '9000n is not an address: write'],
  [() => 9000, 'a function is not an address: write'],
  [Symbol('x'), 'Symbol(x) is not an address: write'],
  [[9000], 'an array is not an address: write'],
  [new URL('tcp://1.2.3.4:80'), 'is a URL object: write a string such as tcp://1.2.3.4:80'],
  [{ host: 'a' }, '{ host: "a" } has no port: write { host: "a", port: 9000 }'],
  [{ host: 'a:80' }, '{ host: "a:80" } has no port: write { host: "a", port: 80 }'],
  [{ port: '80' }, '{ port: "80" } has a port that is not a number: write { port: 80 }'],
  [{ port: null }, '{ port: null } has a port that is not a number: write { port: 9000 }'],
  [{ port: 65536 }, '{ port: 65536 } has the port 65536: a port'],
  [{ port: -1 }, '{ port: -1 } has the port -1: a port'],
  [{ port: 1.5 }, '{ port: 1.5 } has the port 1.5: a port'],
  [{ port: Number.NaN }, '{ port: NaN } has the port NaN: a port'],
  [{ host: '[::1]', port: 80 }, 'has a host in brackets: write { host: "::1", port: 80 }'],
  [
    { host: 'a:80', port: 80 },
    'has more than a host in its field host: write { host: "a", port: 80 }',
  ],
  [{ host: 'tcp://a', port: 80 }, 'in its field host: write { host: "a", port: 80 }'],
  [{ host: 'a b', port: 80 }, 'has a host with a space, a control character or a non-ASCII letter'],
  [{ host: 7, port: 80 }, 'has a host that is not a string: write { host: "127.0.0.1", port: 80 }'],
]

/** Bad URLs, with `tcp` for the scheme of the use. */
const REFUSED_URLS: [rest: string, message: string][] = [
  ['127.0.0.1:80', 'has no // behind its scheme: write tcp://127.0.0.1:80'],
  ['//', 'has no port: write a URL such as tcp://:9000'],
  ['//127.0.0.1', 'has no port: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:', 'has no port: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:http', 'has a port that is not a number: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:70000', 'has the port 70000: a port'],
  ['//127.0.0.1:0000000080', 'has a port with leading zeros: write tcp://127.0.0.1:80'],
  ['//127.0.0.1:80/path', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//127.0.0.1:80?query', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//user@127.0.0.1:80', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//::1:80', 'has an IPv6 address without brackets: write tcp://[::1]:80'],
  ['//[127.0.0.1]:80', 'has brackets without an IPv6 address: write tcp://127.0.0.1:80'],
  ['//[::1', 'has a bracket that is not closed: write a URL such as tcp://[::1]:9000'],
  ['//a b:80', 'has a space, a control character or a non-ASCII letter: write a URL such as'],
  ['//lоcalhost:80', 'has a space, a control character or a non-ASCII letter: write a URL such as'],
  ['//[fe80::1%nowhere]:80', 'has the zone nowhere, which is not an interface of this machine'],
]

/** Objects that are refused; a `listen` entry has options beside its address, and refuses them otherwise. */
const REFUSED_OBJECTS: [address: object, message: string][] = [
  [{}, '{} has neither a port nor a path: write a port such as 9000'],
  [{ prot: 80 }, '{ prot: 80 } has the unknown field prot: write { port: 9000 }'],
  [{ port: 80, prot: 1 }, 'has the unknown field prot: write { port: 80 }'],
  [{ port: 80, message() {} }, '{ port: 80, message: a function } has the unknown field message'],
  [{ port: {} }, '{ port: {…} } has a port that is not a number: write { port: 9000 }'],
  [{ hostname: 'a', port: 80 }, 'has the unknown field hostname: write { host: "a", port: 80 }'],
  [
    { address: '::1', family: 'IPv6', port: 80 },
    'has the unknown field address: write { host: "::1", port: 80 }',
  ],
]

for (const use of ['serve', 'connect', 'bind'] as const) {
  const scheme = MESSAGE_FOR[use]
  const told = (message: string) => message.replaceAll('tcp://', `${scheme}://`)

  test.serial(
    `${use} refuses a bad address, says what is wrong and shows the right form`,
    async (t) => {
      const before = descriptors()
      const cases: [unknown, string][] = [
        ...REFUSED.map(([address, message]) => [address, told(message)] as [unknown, string]),
        ...REFUSED_URLS.map(
          ([rest, message]) => [`${scheme}:${rest}`, told(message)] as [string, string],
        ),
        ...(use === 'serve' ? [] : REFUSED_OBJECTS),
      ]
      for (const [address, message] of cases) {
        // A capital scheme is only written small.
        const expected = String(address).startsWith('TCP:')
          ? message.replace('udp:', 'tcp:')
          : message
        const error = await t.throwsAsync<MillraceError>(give(use, address), undefined, expected)
        t.is(error.code, 'ERR_INVALID_ADDRESS', error.message)
        t.true(error.message.includes(expected), `${error.message}\n${expected}`)
      }
      // Loops that were joined, and not used, end by themselves.
      while (descriptors() !== before) await turns(1)
    },
  )

  if (HAS_UNIX) {
    test(`${use} refuses a bad path, says what is wrong and shows the right form`, async (t) => {
      const long = `/${'x'.repeat(200)}`
      const streams: [unknown, string][] = [
        ['/run/x.sock', 'has no scheme: write unix:///run/x.sock or { path: "/run/x.sock" }'],
        ['./x.sock', 'has no scheme: write unix://./x.sock or { path: "./x.sock" }'],
        ['my.sock', 'has no scheme: write unix://my.sock or { path: "my.sock" }'],
        ['@name', 'has no scheme: write unix://@name or { path: "@name" }'],
        ['unix://', '"unix://" has no path: write one, such as unix:///run/my.sock'],
        ['unix://@', 'has no name behind @'],
        [`unix://${long}`, 'has a path of 201 bytes: write one of at most'],
        [{ path: '' }, '{ path: "" } has no path: write one, such as { path: "/run/my.sock" }'],
        [{ path: '@' }, 'has no name behind @'],
        [{ path: 'a\0b' }, 'has a zero byte in its path'],
        [{ path: long }, 'has a path of 201 bytes: write one of at most'],
        [{ path: 7 }, 'has a path that is not a string: write { path: "/run/my.sock" }'],
        [
          { path: '/x', port: 80 },
          'has both a path and a port: write { path: "/x" } or { port: 80 }',
        ],
        [
          { path: '/x', host: 'a' },
          'has both a path and a host: write { path: "/x" } or { host: "a", port',
        ],
      ]
      const datagrams: [unknown, string][] = [
        ['/run/x.sock', 'write serve({ listen: "unix:///run/x.sock" }) to listen, or connect({ to'],
        [
          'unix:///x',
          'write serve({ listen: "unix:///x" }) to listen, or connect({ to: "unix:///x" })',
        ],
        [
          { path: '/x' },
          'is for streams, and bind takes datagrams: write serve({ listen: { path: "/x" } })',
        ],
      ]
      for (const [address, message] of use === 'bind' ? datagrams : streams) {
        const error = await t.throwsAsync<MillraceError>(give(use, address), undefined, message)
        t.is(error.code, 'ERR_INVALID_ADDRESS')
        t.true(error.message.includes(message), `${error.message}\n${message}`)
      }
    })
  }
}

test('each function refuses the schemes of the others, and names the one to use', async (t) => {
  const cases: [Use, unknown, string][] = [
    ['serve', 'udp://:80', 'write bind({ address: "udp://:80" }), or listen on tcp://:80'],
    [
      'bind',
      'tcp://:80',
      'write serve({ listen: "tcp://:80" }) to listen, or connect({ to: "tcp://:80" })',
    ],
    ['bind', 'tcp://:80', 'or bind({ address: "udp://:80" }) for datagrams'],
    ['bind', 'fd://3', 'write serve({ listen: "fd://3" })'],
    ['connect', 'fd://3', 'write serve({ listen: "fd://3" })'],
    ['connect', 'systemd://web', 'write serve({ listen: "systemd://web" })'],
  ]
  for (const [use, address, message] of cases) {
    const error = await t.throwsAsync<MillraceError>(give(use, address))
    t.is(error.code, 'ERR_INVALID_ADDRESS')
    t.true(error.message.includes(message), error.message)
  }
})

test('connect refuses port 0 in every form', async (t) => {
  for (const to of [0, '0', { port: 0 }, 'tcp://127.0.0.1:0', 'udp://127.0.0.1:0']) {
    const error = await t.throwsAsync<MillraceError>(give('connect', to))
    t.is(error.code, 'ERR_INVALID_ADDRESS')
    t.true(error.message.includes('a whole number from 1 to 65535'), error.message)
  }
})

test('a listener says exactly once where to listen', async (t) => {
  const cases: [object, string, string][] = [
    [{ address: 0, port: 0 }, 'ERR_INVALID_ADDRESS', 'both address (0) and port'],
    [{ address: 'tcp://:0', host: 'a', path: '/x' }, 'ERR_INVALID_ADDRESS', 'and host and path'],
    [{ port: 0, path: '/x' }, 'ERR_INVALID_ADDRESS', 'has both a path and a port'],
    [{ host: 'a', noDelay: true }, 'ERR_INVALID_ADDRESS', '{ host: "a" } has no port'],
    [{ prot: 0 }, 'ERR_INVALID_ADDRESS', 'does not say where to listen (it has prot)'],
    [{}, 'ERR_INVALID_ADDRESS', 'does not say where to listen: write one of port'],
    [{ address: { port: 0, prot: 0 } }, 'ERR_INVALID_ADDRESS', 'has the unknown field prot'],
    [{ address: { address: 0 } }, 'ERR_INVALID_ADDRESS', 'has the unknown field address'],
    [{ port: 0, prot: 0 }, 'ERR_INVALID_OPTION', 'there is no option prot of a listener'],
  ]
  const server = await start(t, { message: echo })
  for (const [entry, code, message] of cases) {
    const given = entry as { port: number }
    for (const tried of [
      () => serve({ listen: given, loops: LOOPS }),
      () => serve({ listen: [0, given], loops: LOOPS }),
      () => serve({ listen: listener(given), loops: LOOPS }),
      () => server.listen(given),
    ]) {
      const error = await t.throwsAsync<MillraceError>(tried())
      t.is(error.code, code, error.message)
      t.true(error.message.includes(message), error.message)
    }
  }
  t.is(server.listeners.length, 1)
})

test('the parts of an endpoint are those of node:net', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const parts = (ip: number | string, port: number) => [
    endpointAddress(ip, port),
    endpointPort(ip, port),
    endpointFamily(ip, port),
  ]
  t.deepEqual(parts(0x7f000001, port), [
    socket.remoteAddress,
    socket.remotePort,
    socket.remoteFamily,
  ])
  // The first bit is a sign.
  t.deepEqual(parts(-1, 1), ['255.255.255.255', 1, 'IPv4'])
  t.deepEqual(parts(0, 0), ['0.0.0.0', 0, 'IPv4'])
  t.deepEqual(parts('fe80::1%2', 9), ['fe80::1%2', 9, 'IPv6'])
  t.deepEqual(parts('/run/my.sock', -1), [undefined, undefined, undefined])
  t.deepEqual(parts('', -1), [undefined, undefined, undefined])
  t.deepEqual(parts('', 0), [undefined, undefined, undefined])
  t.is(formatEndpoint('fe80::1%2', 9), '[fe80::1%2]:9')
})
