/** PROXY headers that a server takes. */

import test from 'ava'
import { type Peer, raw, serve } from 'millrace'
import { connect, read, readAll } from './support/client.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import {
  HEADERS,
  HEADERS_WITHOUT_ADDRESSES,
  type HeaderCase,
  mirror,
  received,
  refusals,
  TRUSTING,
} from './support/proxy-headers.js'
import { LOOPS, ONE, start } from './support/serve.js'
import { HAS_IPV6 } from './support/system.js'

const [FIRST] = HEADERS as [HeaderCase]

for (const { name, bytes, remote, local } of HEADERS) {
  test(`context, open and conn have the addresses of a header of ${name}`, async (t) => {
    const peers: Peer[] = []
    const server = await start(t, {
      proxyProtocol: TRUSTING,
      context: (peer) => void peers.push(peer),
      open(conn) {
        const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = conn
        conn.end(JSON.stringify([remoteAddress, remotePort, remoteFamily, localAddress, localPort]))
      },
    })
    const socket = await connect(server.port)
    socket.write(bytes)
    const shown = JSON.parse((await readAll(socket)).toString())
    const family = remote.startsWith('[') ? 'IPv6' : 'IPv4'
    const [ip, localIP] = [remote, local].map((each) =>
      each.replace(/\]?:\d+$/, '').slice(+(family === 'IPv6')),
    )
    t.deepEqual(shown, [ip, 4660, family, localIP, 443])
    t.is(peers.length, 1)
    t.like(peers[0], { remote, local, remoteAddress: ip, remotePort: 4660, remoteFamily: family })
  })

  test(`a header of ${name} may be cut anywhere, and what follows it is data`, async (t) => {
    const server = await mirror(t, { loops: ONE })
    const expected = `${remote} ${local}\nhello`
    let sent = 0
    for (let cut = 1; cut <= bytes.length; cut++) {
      const socket = await connect(server.port, { noDelay: true })
      socket.write(bytes.subarray(0, cut))
      sent += cut
      await received(server, sent)
      socket.end(Buffer.concat([bytes.subarray(cut), Buffer.from('hello')]))
      sent += bytes.length - cut + 5
      t.is((await readAll(socket)).toString(), expected, `cut at ${cut}`)
    }
    t.is(refusals(server), 0)
  })
}

for (const [name, bytes] of HEADERS_WITHOUT_ADDRESSES) {
  test(`after a header with ${name} the addresses are those of the socket`, async (t) => {
    const server = await mirror(t)
    const socket = await connect(server.port)
    const { localPort } = socket
    socket.end(bytes)
    t.is((await readAll(socket)).toString(), `127.0.0.1:${localPort} 127.0.0.1:${server.port}\n`)
  })
}

test('bytesRead counts nothing of the header', async (t) => {
  const server = await start(t, {
    proxyProtocol: TRUSTING,
    message: (conn) => void conn.end(String(conn.bytesRead)),
  })
  const socket = await connect(server.port)
  socket.write(Buffer.concat([FIRST.bytes, Buffer.from('12345')]))
  t.is((await readAll(socket)).toString(), '5')
})

test('who is not trusted sends data, even if it looks like a header', async (t) => {
  const server = await mirror(t, { proxyProtocol: { trust: ['10.0.0.0/8', '127.0.0.2', 'unix'] } })
  const socket = await connect(server.port)
  // It opens before anything was sent.
  const expected = `127.0.0.1:${socket.localPort} 127.0.0.1:${server.port}\n`
  t.is((await read(socket, expected.length)).toString(), expected)
  socket.end(FIRST.bytes)
  t.deepEqual(await readAll(socket), FIRST.bytes)
})

test('networks are trusted by their first bits', async (t) => {
  const { bytes, remote } = FIRST
  for (const [network, isTrusted] of [
    ['127.0.0.0/8', true],
    ['127.0.0.0/31', true],
    ['127.0.0.2/31', false],
    ['0.0.0.0/0', true],
    ['128.0.0.0/1', false],
    ['::/0', false],
    ['::ffff:127.0.0.0/104', true],
    ['::ffff:127.0.0.1', true],
  ] as const) {
    const server = await mirror(t, { proxyProtocol: { trust: [network] } })
    const socket = await connect(server.port)
    socket.end(bytes)
    t.is((await readAll(socket)).toString().startsWith(remote), isTrusted, network)
    await server.close()
  }
})

test('a peer over IPv4 on a socket for both is an IPv4 peer', async (t) => {
  const server = await mirror(t, { listen: 0, proxyProtocol: { trust: ['127.0.0.1'] } })
  const socket = await connect(server.port)
  socket.end(FIRST.bytes)
  t.is((await readAll(socket)).toString(), `${FIRST.remote} ${FIRST.local}\n`)
})

;(HAS_IPV6 ? test : test.skip)(
  'a peer over IPv6 is trusted, and says an IPv4 client',
  async (t) => {
    const server = await mirror(t, { listen: 'tcp://[::1]:0' })
    const socket = await connect(server.port, { host: '::1' })
    socket.end(FIRST.bytes)
    t.is((await readAll(socket)).toString(), `${FIRST.remote} ${FIRST.local}\n`)
  },
)

if (KINDS.includes('unix')) {
  test('whoever may connect to a Unix socket is trusted if that is said', async (t) => {
    const { bytes, remote, local } = FIRST
    for (const [trust, expected] of [
      [['unix'], `${remote} ${local}\nhello`],
      [['0.0.0.0/0', '::/0'], ''],
    ] as const) {
      const path = freePath(t)
      await mirror(t, { listen: { path }, proxyProtocol: { trust } })
      const socket = await connect(path)
      socket.end(Buffer.concat([bytes, Buffer.from('hello')]))
      const shown = (await readAll(socket)).toString()
      if (expected === '') t.is(shown, ` unix:${path}\n${bytes}hello`)
      else t.is(shown, expected)
    }
  })
}

test('each entry has the option of the server, its own one, or none', async (t) => {
  const { bytes, remote } = FIRST
  const server = await mirror(t, {
    listen: [
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.1', port: 0, proxyProtocol: { trust: ['10.0.0.0/8'] } },
      { host: '127.0.0.1', port: 0, proxyProtocol: false },
    ],
  })
  const shown = await Promise.all(
    server.listeners.map(async ({ port }) => {
      const socket = await connect(port as number)
      socket.end(bytes)
      return (await readAll(socket)).toString().startsWith(remote)
    }),
  )
  t.deepEqual(shown, [true, false, false])
})

test('with reusePort headers are taken', async (t) => {
  if (process.platform !== 'linux') return t.pass('reusePort is for Linux')
  const loops = LOOPS === 'inline' ? LOOPS : 3
  const server = await mirror(t, { loops, reusePort: true })
  const all = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = await connect(server.port)
      socket.end(FIRST.bytes)
      return (await readAll(socket)).toString()
    }),
  )
  for (const shown of all) t.is(shown, `${FIRST.remote} ${FIRST.local}\n`)
})

test('source-hash goes by the address of the socket', async (t) => {
  const loops = LOOPS === 'inline' ? LOOPS : 4
  const server = await start(t, {
    loops,
    balance: 'source-hash',
    proxyProtocol: TRUSTING,
    open: (conn) => void conn.end(String(conn.loop)),
  })
  const seen = await Promise.all(
    Array.from({ length: 30 }, async (_, at) => {
      const socket = await connect(server.port)
      socket.write(`PROXY TCP4 192.0.2.${at} 192.0.2.0 1 2\r\n`)
      return (await readAll(socket)).toString()
    }),
  )
  // One proxy, however many clients it has.
  t.is(new Set(seen).size, 1)
})

test('firstMessage ends a connection that has opened behind its header', async (t) => {
  const server = await start(t, {
    proxyProtocol: TRUSTING,
    codec: raw(),
    timeouts: { firstMessage: 1 },
    close: () => {},
  })
  const socket = await connect(server.port)
  socket.write(FIRST.bytes.subarray(0, 10))
  await received(server, 10)
  t.is(server.stats().connections, 0)
  // Only now the time runs, and ends without a message.
  socket.write(FIRST.bytes.subarray(10))
  t.is((await readAll(socket)).length, 0)
  t.is(refusals(server), 0)
  t.is(
    server.stats().loops.reduce((total, { opened }) => total + opened, 0),
    1,
  )
})

test('bad options are refused, and the message says how they are right', async (t) => {
  for (const [proxyProtocol, message] of [
    [true, /proxyProtocol has to be false, or an object such as \{ trust: \['10\.0\.0\.0\/8'\] \}/],
    [null, /proxyProtocol has to be/],
    [['127.0.0.1'], /proxyProtocol has to be/],
    [{}, /proxyProtocol\.trust has to be an array of at least one/],
    [{ trust: [] }, /proxyProtocol\.trust/],
    [{ trust: '127.0.0.1' }, /proxyProtocol\.trust has to be an array/],
    [{ trust: ['localhost'] }, /has "localhost", which is not an IP address.*'10\.0\.0\.0\/8'/],
    [{ trust: ['127.0.0.1:80'] }, /not an IP address/],
    [{ trust: ['fe80::1%lo'] }, /without a zone/],
    [{ trust: [''] }, /not an IP address/],
    [{ trust: [1] }, /has 1, which is not an IP address/],
    [{ trust: new Array(1) }, /has undefined/],
    [{ trust: ['10.0.0.0/33'] }, /longer than 32 bits/],
    [{ trust: ['::/129'] }, /longer than 128 bits/],
    [{ trust: ['10.0.0.0/'] }, /not an IP address/],
    [{ trust: ['10.0.0.1/8'] }, /bits behind its prefix of 8/],
    [{ trust: ['fd00::1/8'] }, /bits behind its prefix/],
    [{ trust: ['127.0.0.1'], timeout: 0 }, /proxyProtocol\.timeout/],
    [{ trust: ['127.0.0.1'], timeout: '5' }, /proxyProtocol\.timeout/],
    [{ trusts: ['127.0.0.1'] }, /no option trusts of proxyProtocol \(did you mean trust\?\)/],
  ] as const) {
    const expected = { code: 'ERR_INVALID_OPTION', message }
    const entry = { host: '127.0.0.1', port: 0 }
    const [all, one] = [{ listen: entry, proxyProtocol }, { listen: { ...entry, proxyProtocol } }]
    await t.throwsAsync(serve(all as never), expected, JSON.stringify(proxyProtocol))
    await t.throwsAsync(serve(one as never), expected)
  }
})
