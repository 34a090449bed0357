import type net from 'node:net'
import test from 'ava'
import type { DatagramSocket } from 'millrace'
import { connect, read } from './support/client.js'
import { bound, LARGEST, type Peer, peer } from './support/datagrams.js'
import { gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'

test('no message comes while a socket is paused, and resume delivers them in order', async (t) => {
  const seen: string[] = []
  const { passed, open } = gate()
  const server = await start(t, { loops: ONE })
  const socket = await bound(t, {
    loops: server,
    message(socket, message, info) {
      const text = String(message)
      seen.push(text)
      if (text === '0') socket.pause()
      if (text === '0') socket.send('paused', info)
      if (text === '9') open()
    },
  })
  const client = await peer(t)
  for (let at = 0; at < 10; at++) client.send(String(at), socket.port)
  t.is(String(await client.next()), 'paused')
  // Another socket of the same loop gets datagrams that came after all of those.
  const other = await bound(t, {
    loops: server,
    message: (socket, message, info) => void socket.send(message, info),
  })
  for (let round = 0; round < 3; round++) {
    t.is(String(await client.ask(`round ${round}`, other.port)), `round ${round}`)
  }
  t.deepEqual(seen, ['0'])
  socket.resume()
  await passed
  t.deepEqual(
    seen,
    Array.from({ length: 10 }, (_, at) => String(at)),
  )
})

test('a handler that pauses is called once for each resume', async (t) => {
  const seen: string[] = []
  const { passed, open } = gate()
  const socket = await bound(t, {
    loops: ONE,
    message(socket, message) {
      seen.push(String(message))
      socket.pause()
      setImmediate(() => {
        t.is(seen.at(-1), String(message))
        socket.resume()
        if (seen.length === 5) open()
      })
    },
  })
  const client = await peer(t)
  for (let at = 0; at < 5; at++) client.send(String(at), socket.port)
  await passed
  t.deepEqual(seen, ['0', '1', '2', '3', '4'])
})

test('an iteration ends when the socket is closed', async (t) => {
  const socket = await bound(t)
  const client = await peer(t)
  const pulled: string[] = []
  const pulling = (async () => {
    for await (const { message, info } of socket) {
      pulled.push(String(message))
      socket.send(message, info)
    }
  })()
  for (const text of ['a', 'b', 'c']) t.is(String(await client.ask(text, socket.port)), text)
  await socket.close()
  await pulling
  t.deepEqual(pulled, ['a', 'b', 'c'])
  t.deepEqual(await socket[Symbol.asyncIterator]().next(), { done: true, value: undefined })
})

test('a socket with a message handler cannot be iterated', async (t) => {
  const socket = await bound(t, { message() {} })
  t.throws(() => socket[Symbol.asyncIterator](), { instanceOf: TypeError })
})

test('leaving an iteration early does not close the socket, and the next one continues where it stopped', async (t) => {
  const socket = await bound(t)
  const client = await peer(t)
  for (const text of ['a', 'b', 'c']) client.send(text, socket.port)
  for (const text of ['a', 'b', 'c']) {
    for await (const { message } of socket) {
      t.is(String(message), text)
      break
    }
  }
})

test('two concurrent pulls get a datagram each', async (t) => {
  const socket = await bound(t)
  const one = socket[Symbol.asyncIterator]().next()
  const other = socket[Symbol.asyncIterator]().next()
  const client = await peer(t)
  client.send('a', socket.port)
  client.send('b', socket.port)
  const got = await Promise.all([one, other])
  t.deepEqual(got.map(({ value }) => String(value?.message)).sort(), ['a', 'b'])
})

/** Pulls until `last` comes, and sends `last` again after each datagram. Returns how many came before it. */
async function countUntil(socket: DatagramSocket, client: Peer, port: number): Promise<number> {
  let count = 0
  client.send('last', port)
  for await (const { message } of socket) {
    if (String(message) === 'last') break
    count++
    client.send('last', port)
  }
  return count
}

test('unread input is bounded, and the datagrams that the kernel drops are counted', async (t) => {
  const size = Math.min(LARGEST, 1000)
  const socket = await bound(t, { maxParked: 10 * size, receiveBuffer: 1 })
  const client = await peer(t)
  const TOTAL = 5000
  // One at a time, so that the sender's kernel refuses none of them.
  for (let at = 0; at < TOTAL; at++) {
    await new Promise<void>((resolve, reject) => {
      client.socket.send(Buffer.alloc(size), socket.port, '127.0.0.1', (error) =>
        error ? reject(error) : resolve(),
      )
    })
  }
  const { received } = socket.stats()
  t.true(received < TOTAL, `${received} were taken in`)
  const count = await countUntil(socket, client, socket.port)
  const stats = socket.stats()
  if (process.platform === 'linux') {
    t.true(stats.dropped > 0)
    t.true(count + stats.dropped >= TOTAL, `${count} pulled, ${stats.dropped} dropped`)
  }
  t.true(count < TOTAL)
})

test('the kernel drops and counts datagrams while a socket is paused', async (t) => {
  if (process.platform !== 'linux') {
    t.log('only Linux counts the datagrams it dropped')
    t.pass()
    return
  }
  let count = 0
  const { passed, open } = gate()
  const socket = await bound(t, {
    receiveBuffer: 1,
    message(_, message) {
      if (String(message) === 'last') open()
      else count++
    },
  })
  socket.pause()
  const client = await peer(t)
  for (let at = 0; at < 3000; at++) {
    await new Promise<void>((resolve) =>
      client.socket.send('x', socket.port, '127.0.0.1', () => resolve()),
    )
  }
  const { dropped } = socket.stats()
  t.true(dropped > 0)
  socket.resume()
  // `last` may itself be dropped while the kernel's buffer is full.
  let isThrough = false
  void passed.then(() => {
    isThrough = true
  })
  while (!isThrough) {
    client.send('last', socket.port)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.is(count + dropped, 3000)
})

test('a flood of datagrams does not disturb streams on the same loop', async (t) => {
  const server = await start(t, {
    loops: 1,
    message: (conn, chunk) => void conn.write(chunk),
  })
  const socket = await bound(t, {
    loops: server,
    message: (socket, message, info) => void socket.send(message, info),
  })
  const client = await peer(t)
  let isFlooding = true
  const flood = (async () => {
    while (isFlooding) {
      for (let at = 0; at < 200; at++)
        client.send(Buffer.alloc(Math.min(LARGEST, 1000)), socket.port)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const sockets = await Promise.all(Array.from({ length: 4 }, () => connect(server.port)))
  const echo = async (stream: net.Socket, number: number) => {
    for (let round = 0; round < 50; round++) {
      const sent = Buffer.alloc(5000, `${number}.${round} `)
      stream.write(sent)
      if (!sent.equals(await read(stream, sent.length))) return false
    }
    return true
  }
  t.deepEqual(await Promise.all(sockets.map(echo)), [true, true, true, true])
  isFlooding = false
  await flood
  t.true(socket.stats().received > 0)
  t.is(server.connections, 4)
  for (const stream of sockets) stream.destroy()
})

test("a socket on a server's loops can close without the server, and the server without the socket", async (t) => {
  const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
  const one = await bound(t, { loops: server, message() {} })
  const other = await bound(t, {
    loops: server,
    message: (socket, message, info) => void socket.send(message, info),
  })
  await one.close()
  const stream = await connect(server.port)
  stream.write('x')
  t.is(String(await read(stream, 1)), 'x')
  stream.destroy()
  await server.close({ timeout: 0 })
  const client = await peer(t)
  t.is(String(await client.ask('still here', other.port)), 'still here')
})
