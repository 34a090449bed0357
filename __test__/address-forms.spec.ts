/** Every form of an address, for `serve`, `connect` and `bind`. */

import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import {
  type Address,
  type Conn,
  connect,
  type Listen,
  listener,
  type MillraceError,
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
import { LOOPS, start } from './support/serve.js'
import { HAS_IPV6 } from './support/system.js'

const HAS_UNIX = process.platform !== 'win32'
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

test('an address object has only its own fields', async (t) => {
  const inherits = (inherited: object, own: object): Address =>
    Object.assign(Object.create(inherited), own)
  const server = await start(t, { listen: inherits({ host: '::1', path: '/x' }, { port: 0 }) })
  t.regex(server.addresses[0] as string, /^tcp:\/\/(\[::\]|0\.0\.0\.0):/)
  const socket = await bound(t, {
    address: inherits({ path: '/x' }, { host: '127.0.0.1', port: 0 }),
  })
  t.regex(socket.address, /^udp:\/\/127\.0\.0\.1:/)
  const error = await t.throwsAsync(connect({ to: inherits({ port: 80 }, { host: 'a' }) }), {
    code: 'ERR_INVALID_ADDRESS',
  })
  t.true(error?.message.includes('{ host: "a" } has no port'))
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
    t.true(error.message.startsWith(`${text} has no IPv6 address`), error.message)
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

for (const host of ['::ffff:127.0.0.1', '::ffff:7f00:1']) {
  test(`an IPv4 address that is written as IPv6 is IPv4: ${host}`, async (t) => {
    const server = await start(t, { listen: { host, port: 0 }, message() {} })
    t.is(server.addresses[0], `tcp://127.0.0.1:${server.port}`)
    const conn = await connect({
      to: { host, port: server.port },
      localAddress: '::ffff:127.0.0.1',
    })
    t.is(conn.remote, `127.0.0.1:${server.port}`)
    t.is(conn.localAddress, '127.0.0.1')
    const socket = await bound(t, { address: { host, port: 0 }, message() {} })
    t.is(socket.address, `udp://127.0.0.1:${socket.port}`)
  })
}
