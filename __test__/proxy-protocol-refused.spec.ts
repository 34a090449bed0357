/** Connections that are refused for their PROXY header. */

import test, { type ExecutionContext } from 'ava'
import { closed, connect, read, readAll } from './support/client.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import {
  binary,
  endOf,
  HEADERS,
  type HeaderCase,
  received,
  refusals,
  SIGNATURE,
  TRUSTING,
  V4_CONTENTS,
} from './support/proxy-headers.js'
import { LOOPS, start } from './support/serve.js'

const [FIRST] = HEADERS as [HeaderCase]

/** A server none of whose handlers may run. */
function silent(t: ExecutionContext, options: Partial<Parameters<typeof start>[1]> = {}) {
  const fail = (name: string) => () => t.fail(`${name} ran`)
  return start(t, {
    proxyProtocol: TRUSTING,
    context: fail('context'),
    open: fail('open'),
    message: fail('message'),
    end: fail('end'),
    close: fail('close'),
    error: fail('error'),
    ...options,
  } as Parameters<typeof start>[1])
}

/** What is no header, whatever follows. */
const BAD: readonly (readonly [name: string, bytes: Buffer | string])[] = [
  ['another protocol', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['another command of that letter', 'POST / HTTP/1.1\r\n\r\n'],
  ['a TLS greeting', Buffer.from('1603010200010001fc0303', 'hex')],
  ['a line that never ends', 'PROXY '.padEnd(108, 'x')],
  ['a line without a carriage return', 'PROXY TCP4 1.1.1.1 2.2.2.2 3 4\n'],
  ['two spaces', 'PROXY TCP4  1.1.1.1 2.2.2.2 3 4\r\n'],
  ['a port that begins with 0', 'PROXY TCP4 1.1.1.1 2.2.2.2 03 4\r\n'],
  ['a port with a sign', 'PROXY TCP4 1.1.1.1 2.2.2.2 +3 4\r\n'],
  ['addresses of the other family', 'PROXY TCP6 1.1.1.1 2.2.2.2 3 4\r\n'],
  ['a family that is not known', 'PROXY TCP5 1.1.1.1 2.2.2.2 3 4\r\n'],
  ['version 3', binary(0x31, 0x11, V4_CONTENTS)],
  ['a command that is not assigned', binary(0x22, 0x11, V4_CONTENTS)],
  ['addresses that are too short', binary(0x21, 0x21, V4_CONTENTS)],
  ['more than 4 KiB of fields', Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0x10, 1])])],
  ['fields that are cut', binary(0x21, 0x11, Buffer.concat([V4_CONTENTS, Buffer.from([4, 0, 9])]))],
  [
    'a wrong checksum',
    binary(0x21, 0x11, Buffer.concat([V4_CONTENTS, Buffer.from([3, 0, 4, 0, 0, 0, 0])])),
  ],
]

for (const [name, bytes] of BAD) {
  test(`a trusted peer that sends ${name} is reset, and no handler runs`, async (t) => {
    const server = await silent(t)
    t.is(await endOf(server.port, Buffer.from(bytes)), 'ECONNRESET')
    t.is(refusals(server), 1)
    t.is(server.stats().connections, 0)
    t.true(server.stats().loops.every(({ opened, closed }) => opened === 0 && closed === 0))
  })
}

test('a peer that ends before its header is whole is reset', async (t) => {
  const server = await silent(t)
  for (const { bytes } of HEADERS) {
    for (const length of [0, 1, 12, bytes.length - 1]) {
      t.is(await endOf(server.port, bytes.subarray(0, length), { end: true }), 'ECONNRESET')
    }
  }
  t.is(refusals(server), HEADERS.length * 4)
})

test('a header that is not there in time is not awaited any longer', async (t) => {
  const server = await silent(t, { proxyProtocol: { ...TRUSTING, timeout: 1 } })
  const ends = [0, 1, 20].map((length) => endOf(server.port, FIRST.bytes.subarray(0, length)))
  t.deepEqual(await Promise.all(ends), ['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
  t.is(refusals(server), 3)
})

if (KINDS.includes('unix')) {
  test('a bad header on a Unix socket closes it', async (t) => {
    const path = freePath(t)
    const server = await silent(t, { listen: { path } })
    const socket = await connect(path)
    socket.resume().write('hello')
    await closed(socket)
    t.is(refusals(server), 1)
  })
}

for (const loops of [LOOPS, 3] as const) {
  test(`while a header is awaited a connection has a place, and gives it back (loops: ${loops})`, async (t) => {
    const server = await start(t, {
      loops,
      maxConnections: 2,
      proxyProtocol: TRUSTING,
      message: (conn, chunk) => void conn.write(chunk),
    })
    const hello = Buffer.concat([FIRST.bytes, Buffer.from('hello')])
    for (let round = 0; round < 20; round++) {
      // They fill the server without a header, and a good one waits behind them.
      const idle = await Promise.all([connect(server.port), connect(server.port)])
      const good = await connect(server.port)
      good.write(hello)
      for (const socket of idle) socket.resume().write('?')
      t.is((await read(good, 5)).toString(), 'hello')
      await Promise.all(idle.map(closed))
      good.resume().end()
      await closed(good)
    }
    t.is(refusals(server), 40)
    t.true(server.stats().loops.every(({ opened, closed }) => opened === closed))
  })
}

test('a connection that opens keeps the place that it had', async (t) => {
  const server = await start(t, {
    maxConnections: 1,
    onFull: 'refuse',
    proxyProtocol: TRUSTING,
    message: (conn, chunk) => void conn.write(chunk),
  })
  const first = await connect(server.port)
  first.write(FIRST.bytes.subarray(0, 5))
  await received(server, 5)
  // The place is taken, though nothing is open yet.
  t.is((await readAll((await connect(server.port)).end())).length, 0)
  first.write(Buffer.concat([FIRST.bytes.subarray(5), Buffer.from('hello')]))
  t.is((await read(first, 5)).toString(), 'hello')
  t.is((await readAll((await connect(server.port)).end())).length, 0)
})

for (const close of ['server', 'listener'] as const) {
  test(`closing the ${close} closes connections whose header is awaited`, async (t) => {
    const server = await silent(t)
    const sockets = await Promise.all(
      [0, 1, 20].map(async (length) => {
        const socket = await connect(server.port)
        socket.resume().write(FIRST.bytes.subarray(0, length))
        return socket
      }),
    )
    await received(server, 21)
    // Without a limit in time: nothing is waited for.
    await (close === 'server' ? server : server.listeners[0])?.close()
    await Promise.all(sockets.map(closed))
    t.pass()
  })
}

test('a server that closes still answers those whose header is there', async (t) => {
  const server = await start(t, {
    proxyProtocol: TRUSTING,
    message: (conn, chunk) => void conn.write(chunk),
  })
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(server.port)))
  // Written at once, so that the kernel has it when the server closes.
  for (const socket of sockets) socket.write(Buffer.concat([FIRST.bytes, Buffer.from('hello')]))
  const answers = sockets.map((socket) => readAll(socket))
  await server.close()
  for (const answer of await Promise.all(answers)) t.is(answer.toString(), 'hello')
})
