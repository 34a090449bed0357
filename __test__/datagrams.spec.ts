import { randomBytes } from 'node:crypto'
import test from 'ava'
import type { DatagramInfo } from 'millrace'
import { bound, LARGEST, peer } from './support/datagrams.js'
import { gate, tally } from './support/gate.js'
import { random, SEED } from './support/random.js'
import { ONE, RING_BYTES } from './support/serve.js'

test('datagrams of every size are echoed byte for byte', async (t) => {
  const socket = await bound(t, {
    ringBytes: 1 << 20,
    message: (socket, message, info) => void socket.send(message, info),
  })
  const client = await peer(t)
  const draw = random(0)
  const sizes = [0, 1, 7, 8, 9, 1471, 1472, 1473, 9000, 65_506, 65_507]
  for (let count = 0; count < 50; count++) sizes.push(draw.whole(0, 65_507))
  for (const size of sizes) {
    const sent = randomBytes(size)
    t.true(sent.equals(await client.ask(sent, socket.port)), `${size} bytes, seed ${SEED}`)
  }
  t.like(socket.stats(), { received: sizes.length, sent: sizes.length, errors: 0 })
})

test('each of many peers gets its own datagrams back, byte for byte', async (t) => {
  const socket = await bound(t, {
    message: (socket, message, info) => void socket.send(message, info),
  })
  const talk = async (number: number) => {
    const client = await peer(t)
    const draw = random(number)
    for (let count = 0; count < 100; count++) {
      const sent = randomBytes(draw.whole(0, Math.min(LARGEST, 2000)))
      const back = await client.ask(sent, socket.port)
      if (!sent.equals(back)) return `peer ${number}, message ${count}, seed ${SEED}`
    }
    return 'all came back'
  }
  const results = await Promise.all(Array.from({ length: 32 }, (_, at) => talk(at)))
  t.deepEqual(new Set(results), new Set(['all came back']))
})

test('the datagrams of a peer arrive in order', async (t) => {
  const seen: number[] = []
  const socket = await bound(t, {
    loops: ONE,
    message(socket, message, info) {
      seen.push(message.readUInt32BE())
      if (seen.length % 20 === 0) socket.send('go on', info)
    },
  })
  const client = await peer(t)
  for (let batch = 0; batch < 50; batch++) {
    for (let at = 0; at < 20; at++) {
      const bytes = Buffer.alloc(40)
      bytes.writeUInt32BE(20 * batch + at)
      client.send(bytes, socket.port)
    }
    await client.next()
  }
  t.deepEqual(
    seen,
    Array.from({ length: 1000 }, (_, at) => at),
  )
})

test('datagrams sent to a peer in one turn arrive in order', async (t) => {
  const socket = await bound(t, {
    message(socket, _, info) {
      for (let at = 0; at < 100; at++) socket.send(String(at), info)
    },
  })
  const client = await peer(t)
  client.send('', socket.port)
  for (let at = 0; at < 100; at++) t.is(String(await client.next()), String(at))
})

test('the info of a datagram shows its sender', async (t) => {
  const { passed, open } = gate<DatagramInfo>()
  const socket = await bound(t, { message: (_, __, info) => open(info) })
  const client = await peer(t)
  client.send('hello', socket.port)
  const info = await passed
  t.is(info.remote, `127.0.0.1:${client.port}`)
  const { address, port, family, truncated } = info
  t.deepEqual(
    { address, port, family, truncated },
    { address: '127.0.0.1', port: client.port, family: 'IPv4', truncated: false },
  )
})

test('a datagram longer than max is cut and marked as truncated', async (t) => {
  const { all, hit } = tally<[length: number, truncated: boolean]>(3)
  const socket = await bound(t, {
    max: 100,
    message: (_, message, info) => hit([message.length, info.truncated]),
  })
  const client = await peer(t)
  for (const size of [99, 100, 101]) client.send(Buffer.alloc(size), socket.port)
  t.deepEqual(await all, [
    [99, false],
    [100, false],
    [100, true],
  ])
  t.is(socket.stats().truncated, 1)
})

test('send throws if a message is longer than max', async (t) => {
  const socket = await bound(t, { max: 100, message() {} })
  const client = await peer(t)
  const to = `127.0.0.1:${client.port}`
  t.throws(() => socket.send(Buffer.alloc(101), to), { code: 'ERR_FRAME_TOO_LARGE' })
  t.true(socket.send(Buffer.alloc(100), to))
  t.is((await client.next()).length, 100)
})

test('send refuses an IPv4 datagram longer than 65,507 bytes', async (t) => {
  const socket = await bound(t, { ringBytes: 1 << 20, message() {} })
  t.throws(() => socket.send(Buffer.alloc(65_508), '127.0.0.1:9'), { code: 'ERR_FRAME_TOO_LARGE' })
})

test('T14 a reply sent before close in a handler still arrives', async (t) => {
  const { passed, open } = gate<Error | undefined>()
  const socket = await bound(t, {
    message(socket, message, info) {
      t.true(socket.send(`last: ${message}`, info))
      void socket.close()
      t.false(socket.send('too late', info))
    },
    close: (_, error) => open(error),
  })
  const client = await peer(t)
  t.is(String(await client.ask('words', socket.port)), 'last: words')
  t.is(await passed, undefined)
  t.is(socket.readyState, 'closed')
})

test('T23 a socket can send later to ten peers whose addresses it kept', async (t) => {
  const { all, hit } = tally<DatagramInfo>(10)
  const socket = await bound(t, { message: (_, __, info) => hit(info) })
  const clients = await Promise.all(Array.from({ length: 10 }, () => peer(t)))
  for (const client of clients) client.send('here I am', socket.port)
  const infos = await all
  for (const info of infos) t.true(socket.send(`by info ${info.port}`, info))
  for (const { remote, port } of infos) t.true(socket.send(`by text ${port}`, remote))
  for (const client of clients) {
    const got = [String(await client.next()), String(await client.next())]
    t.deepEqual(got.sort(), [`by info ${client.port}`, `by text ${client.port}`])
  }
})

test('a socket can send to a text address before any datagram came from it', async (t) => {
  const one = await bound(t)
  const other = await bound(t, {
    message: (socket, message, info) => void socket.send(`${message}!`, info.remote),
  })
  t.true(one.send('hello', `127.0.0.1:${other.port}`))
  for await (const { message, info } of one) {
    t.is(String(message), 'hello!')
    t.is(info.port, other.port)
    break
  }
})

test('send refuses a destination that is neither an IP address with a port nor an info', async (t) => {
  const socket = await bound(t, { message() {} })
  const wrong = [
    'localhost:80',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.256:80',
    '127.0.0.1%lo:80',
    '::1:80',
    '[::g]:80',
    '[127.0.0.1]:80',
    '',
    undefined,
    { remote: '127.0.0.1:80' },
  ]
  for (const to of wrong) {
    t.throws(() => socket.send('x', to as string), { code: 'ERR_INVALID_ADDRESS' }, String(to))
  }
  t.throws(() => socket.send('x', '[::1]:80'), { code: 'ERR_INVALID_ADDRESS' })
  t.is(socket.stats().sent, 0)
})

test('more datagrams than the ring holds are sent in order', async (t) => {
  // In one turn, so that datagrams that do not fit are queued in JavaScript.
  const count = Math.ceil((2 * RING_BYTES) / 1000)
  const socket = await bound(t, {
    maxWriteBuffer: 1 << 30,
    highWaterMark: 1 << 29,
    message(socket, message, info) {
      if (message.length > 0) socket.send('end', info)
      else for (let at = 0; at < count; at++) socket.send(numbered(at), info)
    },
  })
  const client = await peer(t, { receiveBuffer: 8 << 20 })
  client.send('', socket.port)
  let last = -1
  // The peer's kernel may drop some of them, but it keeps their order. The replies to `end?` come
  // even if the last ones were dropped.
  for (let bytes = await client.next(); bytes.length > 3; bytes = await client.next()) {
    const at = bytes.readUInt32BE()
    if (at <= last) t.fail(`${at} after ${last}`)
    last = at
    client.send('end?', socket.port)
  }
  const { sent, errors, discarded } = socket.stats()
  t.true(sent >= count && last > 0)
  t.deepEqual({ errors, discarded }, { errors: 0, discarded: 0 })
})

function numbered(at: number): Buffer {
  const bytes = Buffer.alloc(Math.min(LARGEST, 1000))
  bytes.writeUInt32BE(at)
  return bytes
}
