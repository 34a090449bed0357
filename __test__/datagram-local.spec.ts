/** The address of this machine that a datagram was sent to, and that the answer leaves from. */

import type { RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { connect, type DatagramInfo, type DatagramSocket } from 'millrace'
import { bound, type Peer, peer, portOf } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { LOOPS, ONE } from './support/serve.js'
import { HAS_IPV6, IS_LINUX, interfaceWith, linux, skip } from './support/system.js'

/** Addresses of this machine; on Linux, all of 127.0.0.0/8 are. */
const LOOPBACKS = IS_LINUX ? ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.9.8.7'] : ['127.0.0.1']

/** A test for systems that say where a datagram was sent to. */
const told = IS_LINUX || process.platform === 'darwin' ? test : test.skip

const EVERYWHERE = { host: '0.0.0.0', port: 0 }
const BOTH_FAMILIES = { port: 0 }

/** A peer to which the kernel gives only what comes from the address that it asks. */
async function asker(t: ExecutionContext, host: string, port: number, zone = ''): Promise<Peer> {
  const own = host.includes(':') ? (zone === '' ? '::1' : `${host}${zone}`) : '127.0.0.1'
  const client = await peer(t, { host: own })
  client.socket.connect(port, `${host}${zone}`)
  await once(client.socket, 'connect')
  return client
}

/** Asks on a connected socket. */
function ask(client: Peer, text: string): Promise<Buffer> {
  client.socket.send(text)
  return client.next()
}

/** How an address and a port are shown. */
const shown = (host: string, port: number) =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** A handler that answers with the local address of the question. */
const answer = (socket: DatagramSocket, _: unknown, info: DatagramInfo) =>
  void socket.send(info.local, info)

/** Answers as `answer` does, to whoever asks, until the socket closes. */
async function answerPulled(socket: DatagramSocket): Promise<void> {
  for await (const { info } of socket) socket.send(info.local, info)
}

for (const way of ['pushed', 'pulled'] as const) {
  told(`an answer leaves from the address that was asked, ${way}`, async (t) => {
    for (const address of HAS_IPV6 ? [EVERYWHERE, BOTH_FAMILIES] : [EVERYWHERE]) {
      const socket = await bound(t, way === 'pushed' ? { address, message: answer } : { address })
      if (way === 'pulled') void answerPulled(socket)
      for (const host of LOOPBACKS) {
        const client = await asker(t, host, socket.port)
        t.is(String(await ask(client, 'where?')), shown(host, socket.port))
      }
    }
  })
}

linux('a socket of both families answers from an IPv6 address and from IPv4 ones', async (t) => {
  if (!HAS_IPV6) return skip(t, 'this machine has no ::1')
  const socket = await bound(t, { address: BOTH_FAMILIES, message: answer })
  const hosts = ['::1', '127.0.0.2', '::1', '127.0.0.3']
  const other = interfaceWith(
    ({ family, address, internal }) =>
      family === 'IPv6' && !internal && !address.startsWith('fe80:'),
  )
  if (other !== undefined) hosts.push(other.address)
  for (const host of hosts) {
    const client = await asker(t, host, socket.port)
    t.is(String(await ask(client, 'where?')), shown(host, socket.port))
  }
})

told('a socket on all IPv6 addresses answers from the one that was asked', async (t) => {
  if (!HAS_IPV6) return skip(t, 'this machine has no ::1')
  const socket = await bound(t, { address: 'udp://[::]:0', message: answer })
  const client = await asker(t, '::1', socket.port)
  t.is(String(await ask(client, 'where?')), `[::1]:${socket.port}`)
})

linux('a link-local address answers through the interface that was asked', async (t) => {
  const own = interfaceWith(({ family, address }) => family === 'IPv6' && /^fe80:/.test(address))
  if (own === undefined) return skip(t, 'this machine has no link-local address')
  const socket = await bound(t, { address: BOTH_FAMILIES, message: answer })
  const client = await asker(t, own.address, socket.port, `%${own.name}`)
  const { scopeid } = own as { scopeid?: number }
  t.is(String(await ask(client, 'where?')), `[${own.address}%${scopeid}]:${socket.port}`)
})

told('answers that are sent together leave each from the address that was asked', async (t) => {
  const COUNT = 24
  const { passed, open } = gate<void>()
  const questions: DatagramInfo[] = []
  const socket = await bound(t, {
    address: EVERYWHERE,
    message(_, __, info) {
      questions.push(info)
      if (questions.length === COUNT) open()
    },
  })
  const clients = await Promise.all(
    Array.from({ length: COUNT }, (_, at) =>
      asker(t, LOOPBACKS[at % LOOPBACKS.length] as string, socket.port),
    ),
  )
  for (const client of clients) client.socket.send('where?')
  await passed
  // To each of them runs of one size, which may leave as one, with those of others in between.
  for (const text of ['1', '2', '3', '33', 'last']) {
    for (const info of questions) {
      socket.send(`${text} ${info.local}`, info)
      socket.send(`${text} ${info.local}`, info)
    }
  }
  for (const [at, client] of clients.entries()) {
    const from = shown(LOOPBACKS[at % LOOPBACKS.length] as string, socket.port)
    for (const text of ['1', '2', '3', '33', 'last']) {
      t.is(String(await client.next()), `${text} ${from}`)
      t.is(String(await client.next()), `${text} ${from}`)
    }
  }
  t.is(socket.stats().errors, 0)
})

told('the datagrams of a train are answered from the address that it was sent to', async (t) => {
  const RUN = 12
  const socket = await bound(t, {
    address: EVERYWHERE,
    message: (socket, message, info) => void socket.send(`${message} ${info.local}`, info),
  })
  const { passed, open } = gate<void>()
  const seen: string[] = []
  // A millrace socket, because it sends in trains.
  const client = await bound(t, {
    address: EVERYWHERE,
    message(_, message, info) {
      seen.push(`${message} from ${info.remote}`)
      if (seen.length === LOOPBACKS.length * RUN) open()
    },
  })
  const wanted: string[] = []
  for (const host of LOOPBACKS) {
    const local = shown(host, socket.port)
    for (let at = 0; at < RUN; at++) {
      client.send(`${at % 10}`, local)
      wanted.push(`${at % 10} ${local} from ${local}`)
    }
  }
  await passed
  t.deepEqual(seen.toSorted(), wanted.toSorted())
})

linux('each of several loops answers from the address that was asked', async (t) => {
  const socket = await bound(t, {
    address: EVERYWHERE,
    loops: 3,
    reusePort: true,
    message: answer,
  })
  for (let round = 0; round < 8; round++) {
    for (const host of LOOPBACKS) {
      const client = await asker(t, host, socket.port)
      t.is(String(await ask(client, 'where?')), shown(host, socket.port))
    }
  }
})

linux('an info that is kept answers from the address that was asked', async (t) => {
  const { passed, open } = gate<DatagramInfo>()
  const socket = await bound(t, { address: EVERYWHERE, message: (_, __, info) => open(info) })
  const client = await asker(t, '127.0.0.2', socket.port)
  client.socket.send('later')
  const info = await passed
  const other = await asker(t, '127.0.0.3', socket.port)
  other.socket.send('in between')
  for (const text of ['one', 'two']) {
    socket.send(text, info)
    t.is(String(await client.next()), text)
  }
})

told('datagrams that wait while the socket is paused keep their local addresses', async (t) => {
  const socket = await bound(t, { address: EVERYWHERE, message: answer })
  socket.pause()
  const clients = await Promise.all(LOOPBACKS.map((host) => asker(t, host, socket.port)))
  for (const client of clients) client.socket.send('where?')
  setImmediate(() => socket.resume())
  for (const [at, client] of clients.entries())
    t.is(String(await client.next()), shown(LOOPBACKS[at] as string, socket.port))
})

linux('an info of another socket is only a destination', async (t) => {
  const { passed, open } = gate<DatagramInfo>()
  const asked = await bound(t, { address: EVERYWHERE, message: (_, __, info) => open(info) })
  const other = await bound(t, { address: { host: '127.0.0.3', port: 0 }, message() {} })
  const client = await peer(t)
  client.send('hello', asked.port, '127.0.0.2')
  const info = await passed
  const came = once(client.socket, 'message') as Promise<[Buffer, RemoteInfo]>
  other.send('from elsewhere', info)
  const [, { address, port }] = await came
  t.is(shown(address, port), shown('127.0.0.3', other.port))
})

linux('a socket on all addresses sends to an address given as text', async (t) => {
  const socket = await bound(t, { address: EVERYWHERE, message() {} })
  const client = await peer(t)
  socket.send('text', `127.0.0.1:${client.port}`)
  t.is(String(await client.next()), 'text')
})

linux('a question to a group is answered from an address of this machine', async (t) => {
  const group = '239.77.3.4'
  const onLoopback = { address: group, interface: '127.0.0.1' }
  const socket = await bound(t, {
    address: EVERYWHERE,
    multicast: { groups: [onLoopback] },
    message: answer,
  })
  const client = await peer(t)
  client.socket.setMulticastInterface('127.0.0.1')
  client.socket.setMulticastLoopback(true)
  t.is(String(await client.ask('who?', socket.port, group)), shown(group, socket.port))
  t.is(socket.stats().errors, 0)
})

linux('a datagram with a local address takes 24 bytes more of a ring', async (t) => {
  const small = { loops: ONE, ringBytes: 4096 }
  const { passed, open } = gate<readonly [Buffer, DatagramInfo]>()
  const socket = await bound(t, {
    ...small,
    address: EVERYWHERE,
    max: 952,
    message: (_, message, info) => open([message, info]),
  })
  const client = await asker(t, '127.0.0.2', socket.port)
  client.socket.send(Buffer.alloc(953, 7))
  const [message, info] = await passed
  t.true(message.equals(Buffer.alloc(952, 7)))
  t.true(info.truncated)
  socket.send(message, info)
  t.deepEqual(await client.next(), message)
  const error = await t.throwsAsync(bound(t, { ...small, address: EVERYWHERE, max: 953 }))
  t.is(codeOf(error), 'ERR_INVALID_OPTION')
})

test('the local address of a datagram on a socket with one address is that address', async (t) => {
  const host = IS_LINUX ? '127.0.0.2' : '127.0.0.1'
  const socket = await bound(t, { address: { host, port: 0 }, message: answer })
  const client = await asker(t, host, socket.port)
  t.is(String(await ask(client, 'where?')), shown(host, socket.port))
  t.is(socket.address, `udp://${shown(host, socket.port)}`)
})

test('the local address of a datagram on a connected socket is its own', async (t) => {
  const server = await peer(t)
  server.socket.on('message', (bytes, { port, address }) => server.send(bytes, port, address))
  const { passed, open } = gate<DatagramInfo>()
  const socket = await connect({
    to: `udp://127.0.0.1:${server.port}`,
    loops: LOOPS,
    message: (_, __, info) => open(info),
  })
  t.teardown(() => socket.close())
  socket.send('hello')
  const { local } = await passed
  t.is(local, `127.0.0.1:${portOf(socket.address)}`)
  t.is(`udp://${local}`, socket.address)
})
