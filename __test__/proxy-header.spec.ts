/** PROXY headers that `proxyHeader` makes. */

import test from 'ava'
import { type ProxiedAddresses, pipe, proxyHeader } from 'millrace'
import { connect, connectHalfOpen, readAll, readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { HEADERS, mirror, SIGNATURE } from './support/proxy-headers.js'
import { start } from './support/serve.js'

const VERSIONS = [1, 2] as const

for (const { name, bytes, remote, local } of HEADERS.filter(
  ({ name }) => !name.includes('fields'),
)) {
  test(`the header of ${name} is exact`, (t) => {
    const version = name.startsWith('version 1') ? 1 : 2
    t.deepEqual(proxyHeader({ remote, local }, { version }), bytes)
    if (version === 2) t.deepEqual(proxyHeader({ remote, local }), bytes)
  })
}

/** What is sent, and what is taken if that is not the same. */
const PAIRS: readonly (readonly [remote: string, local: string])[] = [
  ['1.2.3.4:0', '255.255.255.255:65535'],
  ['[::]:1', '[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535'],
  ['[2001:db8::1]:50000', '[fe80::1]:443'],
  // Mixed: one is sent as if it were mapped.
  ['1.2.3.4:5', '[2001:db8::1]:6'],
  ['[2001:db8::1]:5', '1.2.3.4:6'],
]

for (const version of VERSIONS) {
  test(`a loop takes what proxyHeader makes in version ${version}`, async (t) => {
    const server = await mirror(t)
    for (const [remote, local] of PAIRS) {
      const socket = await connect(server.port)
      const header = proxyHeader({ remote, local }, { version })
      t.true(header.length <= 107)
      socket.end(header)
      t.is((await readAll(socket)).toString(), `${remote} ${local}\n`)
    }
  })

  test(`a proxy passes on who its client is in version ${version}, over two hops`, async (t) => {
    const upstream = await mirror(t, { allowHalfOpen: true, end: (conn) => void conn.end() })
    let to = upstream.port
    for (let hop = 0; hop < 2; hop++) {
      const next = to
      const proxy = await start(t, {
        allowHalfOpen: true,
        // Only the first hop has clients without headers.
        ...(hop === 1 ? {} : { proxyProtocol: { trust: ['127.0.0.1'] } }),
        async open(client) {
          const options = { to: { host: '127.0.0.1', port: next }, loop: client } as const
          const conn = await dial(t, { ...options, allowHalfOpen: true, close() {} })
          conn.write(proxyHeader(client, { version }))
          await pipe(client, conn)
        },
      })
      to = proxy.port
    }
    const socket = await connectHalfOpen(to)
    const { localPort } = socket
    socket.end('hello')
    t.is((await readHalf(socket)).toString(), `127.0.0.1:${localPort} 127.0.0.1:${to}\nhello`)
    socket.destroy()
  })
}

test('the header of a client without an IP address says so', (t) => {
  const local = Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])])
  const unix: ProxiedAddresses = { remote: '', local: 'unix:/run/my.sock' }
  for (const client of [
    unix,
    { ...unix, remote: '1.2.3.4:5' },
    { remote: '1.2.3.4:5', local: '' },
  ]) {
    t.is(proxyHeader(client, { version: 1 }).toString(), 'PROXY UNKNOWN\r\n')
    t.deepEqual(proxyHeader(client), local)
  }
})

if (KINDS.includes('unix')) {
  test('a client of a Unix socket is passed on as one without an address', async (t) => {
    const headers: Buffer[] = []
    const path = freePath(t)
    await start(t, {
      listen: { path },
      open(conn) {
        headers.push(proxyHeader(conn, { version: 1 }))
        conn.end()
      },
    })
    await readAll(await connect(path))
    t.deepEqual(headers.map(String), ['PROXY UNKNOWN\r\n'])
  })
}

test('zones are left out, and IPv4-mapped addresses are IPv4', (t) => {
  const client = { remote: '[fe80::1%7]:80', local: '[fe80::2%eth0]:81' }
  t.is(proxyHeader(client, { version: 1 }).toString(), 'PROXY TCP6 fe80::1 fe80::2 80 81\r\n')
  const mapped = { remote: '[::ffff:1.2.3.4]:80', local: '5.6.7.8:81' }
  t.is(proxyHeader(mapped, { version: 1 }).toString(), 'PROXY TCP4 1.2.3.4 5.6.7.8 80 81\r\n')
})

test('proxyHeader refuses what is no address and no version', (t) => {
  const local = '1.2.3.4:5'
  for (const remote of ['1.2.3.4', 'localhost:80', '1.2.3.4:65536', '::1:80', 7, undefined]) {
    t.throws(() => proxyHeader({ remote, local } as never), { code: 'ERR_INVALID_ADDRESS' })
    t.throws(() => proxyHeader({ remote: local, local: remote } as never), {
      code: 'ERR_INVALID_ADDRESS',
    })
  }
  const client = { remote: local, local }
  for (const version of [0, 3, '1', null]) {
    t.throws(() => proxyHeader(client, { version } as never), { code: 'ERR_INVALID_OPTION' })
  }
  t.throws(() => proxyHeader(client, { versions: 1 } as never), { message: /did you mean version/ })
  t.throws(() => proxyHeader(null as never), { code: 'ERR_INVALID_OPTION' })
})
