/** Connections as streams of Node: what crosses, backpressure, and what is refused. The peers are Node's sockets. */

import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import {
  type Conn,
  type ConnStream,
  connect as connectTo,
  defineCodec,
  line,
  pipe,
  raw,
  toDuplex,
} from 'millrace'
import { closed, connect, read, readHalf } from './support/client.js'
import { dial, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { HALF, pair } from './support/pipe.js'
import { ONE, start } from './support/serve.js'
import { gone, note, patterned, streamed, streamOf } from './support/streams.js'
import { unix } from './support/system.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

/** Messages of four bytes. */
const words = defineCodec({
  framing: raw(),
  decode: (reader) => (reader.remaining < 4 ? undefined : reader.bytes(4)),
  encode: (message: Uint8Array | string, writer) => writer.bytes(Buffer.from(message)),
})

/** Everything that a stream gives until it ends. */
async function readStream(stream: ConnStream): Promise<string> {
  return (await readHalf(stream)).toString()
}

test('bytes cross both ways, halves end apart, and the events come in order', async (t) => {
  const { stream, socket, events, over } = await streamed(t)
  stream.write('from ')
  stream.end('the stream')
  t.is((await readHalf(socket)).toString(), 'from the stream')
  t.is(stream.readyState, 'readOnly')
  socket.end('and back again')
  stream.setEncoding('utf8')
  t.deepEqual(await stream.toArray(), ['and back again'])
  await gone(stream)
  t.deepEqual(events, ['finish', 'end', 'close'])
  t.is(await over, undefined)
  t.is(stream.readyState, 'closed')
})

test('what was received and not delivered goes first: in the middle of a chunk', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    ...HALF,
    codec: words,
    message(conn) {
      void readStream(streamOf(conn)).then(got.open)
    },
  })
  const socket = await connect(server.port)
  socket.end('headand the rest of it')
  t.is(await got.passed, 'and the rest of it')
})

test('what was received and not delivered goes first: after pulled messages, with a part of one', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    ...HALF,
    codec: words,
    async open(conn) {
      const messages = conn[Symbol.asyncIterator]()
      const first = String((await messages.next()).value)
      const second = String((await messages.next()).value)
      const stream = streamOf(conn)
      got.open(`${first},${second},${await readStream(stream)}`)
      const refused = messages.next()
      await t.throwsAsync(refused, { code: 'ERR_PIPED' })
    },
  })
  const socket = await connect(server.port)
  socket.write('onceonlygivethi')
  socket.end('s to the stream')
  t.is(await got.passed, 'once,only,givethis to the stream')
})

test('what was received and not delivered goes first: of a paused connection', async (t) => {
  const server = await start(t, {
    ...HALF,
    message() {},
    open: (conn) => conn.pause(),
    maxParked: 1,
  })
  const socket = await connect(server.port)
  socket.end('parked, and not')
  let [conn] = server
  for (; conn === undefined; [conn] = server) await turns(1)
  t.is(await readStream(streamOf(conn)), 'parked, and not')
})

test('a connection that is a stream refuses what the stream does, and is one stream only', async (t) => {
  const { server, stream, conn, socket, events } = await streamed(t)
  const { a } = await pair(t)
  t.throws(() => conn.write('no'), { code: 'ERR_PIPED' })
  t.throws(() => conn.end('no'), { code: 'ERR_PIPED' })
  t.throws(() => conn.pause(), { code: 'ERR_PIPED' })
  t.throws(() => Object.assign(conn, { codec: raw() }), { code: 'ERR_PIPED' })
  await t.throwsAsync(conn[Symbol.asyncIterator]().next(), { code: 'ERR_PIPED' })
  t.throws(() => toDuplex(conn), { code: 'ERR_PIPED' })
  await t.throwsAsync(pipe(conn, a), { code: 'ERR_PIPED' })
  await t.throwsAsync(pipe(a, conn), { code: 'ERR_PIPED' })
  t.is(server.broadcast('to nobody'), 0)
  stream.end('still here')
  t.is((await readHalf(socket)).toString(), 'still here')
  socket.end()
  stream.resume()
  await gone(stream)
  t.deepEqual(events, ['finish', 'end', 'close'])
  t.throws(() => toDuplex(conn), { code: 'ERR_CLOSED' })
})

test('a connection with frames becomes a stream of its bytes', async (t) => {
  for (const isPushed of [true, false]) {
    const streams = gate<ConnStream>()
    const join = (conn: Conn) => streams.open(toDuplex(conn))
    const { a, b, sockets } = await pair(t, {
      codec: line(),
      ...(isPushed ? { message: join } : {}),
    })
    sockets[0].end('go\none\r\ntwo\nno end')
    if (!isPushed) {
      await a[Symbol.asyncIterator]().next()
      join(a)
    }
    const stream = await streams.passed
    t.is(await readStream(stream), 'one\r\ntwo\nno end')
    stream.end('not a line')
    t.is(String(await readHalf(sockets[0])), 'not a line')
    b.destroy()
  }
})

test('toDuplex refuses what cannot be a stream', async (t) => {
  const { a, b, sockets } = await pair(t)
  const piped = pipe(a, b)
  t.throws(() => toDuplex(a), { code: 'ERR_PIPED' })
  t.throws(() => toDuplex({} as Conn), { code: 'ERR_INVALID_OPTION' })
  const { a: ended, b: closing } = await pair(t)
  ended.end()
  closing.close()
  t.throws(() => toDuplex(ended), { code: 'ERR_CLOSED' })
  t.throws(() => toDuplex(closing), { code: 'ERR_CLOSED' })
  for (const socket of sockets) socket.destroy()
  await piped
})

test('a peer that does not read makes write return false; drain comes, and nothing is lost', async (t) => {
  const { stream, conn, socket, events } = await streamed(t, {
    loops: ONE,
    highWaterMark: 256 * 1024,
    maxWriteBuffer: 256 * 1024,
  })
  const body = patterned(16 * MIB)
  // At once, far above `maxWriteBuffer`: the connection is given no more than it takes.
  t.false(stream.write(body))
  for (let before = -1; conn.bytesWritten !== before; await turns(50)) before = conn.bytesWritten
  t.true(conn.bytesWritten < body.length)
  t.true(conn.buffered <= 320 * 1024, `${conn.buffered} bytes`)
  t.is(stream.writableLength, body.length)
  const got = readHalf(socket)
  await once(stream, 'drain')
  stream.end()
  t.true(body.equals(await got))
  socket.end()
  stream.resume()
  await gone(stream)
  t.deepEqual(events, ['finish', 'end', 'close'])
})

test('many small writes at once arrive in order', async (t) => {
  const { stream, socket } = await streamed(t)
  let expected = ''
  stream.cork()
  for (let at = 0; at < 50_000; at++) {
    expected += `${at},`
    stream.write(`${at},`)
  }
  stream.uncork()
  stream.end()
  t.is((await readHalf(socket)).toString(), expected)
  socket.destroy()
})

test('a stream that nobody reads stops the peer, and what it has is bounded', async (t) => {
  const { stream, socket } = await streamed(t)
  const body = patterned(64 * MIB)
  socket.end(body)
  for (let before = -1; stream.bytesRead !== before || before === 0; await turns(50))
    before = stream.bytesRead
  t.true(stream.readableLength <= 2 * MIB, `${stream.readableLength} bytes`)
  t.true(stream.bytesRead < body.length)
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  t.true(body.equals(Buffer.concat(chunks)))
})

test('a stream whose connection does not allow it ends its half after the peer', async (t) => {
  const { stream, socket, events, over } = await streamed(t, { allowHalfOpen: false })
  t.false(stream.allowHalfOpen)
  socket.end('last words')
  t.is(await readStream(stream), 'last words')
  t.is((await readHalf(socket)).toString(), '')
  await gone(stream)
  t.deepEqual(events, ['end', 'finish', 'close'])
  t.is(await over, undefined)
})

test('allowHalfOpen can be set', async (t) => {
  const { stream, socket } = await streamed(t, { allowHalfOpen: false })
  stream.allowHalfOpen = true
  socket.end()
  stream.resume()
  await once(stream, 'end')
  stream.end('a reply to the end')
  t.is((await readHalf(socket)).toString(), 'a reply to the end')
})

test('streams join in a pipeline, which is a proxy', async (t) => {
  const { a, b, sockets } = await pair(t)
  const [left, right] = sockets
  const [from, to] = [streamOf(a), streamOf(b)]
  const piped = pipeline(from, to, from)
  const [there, back] = [patterned(8 * MIB), patterned(4 * MIB)]
  const got = [readHalf(right), readHalf(left)] as const
  left.end(there)
  right.end(back)
  t.true(there.equals(await got[0]))
  t.true(back.equals(await got[1]))
  await piped
})

test('a web stream is made from it', async (t) => {
  const { stream, socket } = await streamed(t)
  const { readable, writable } = Duplex.toWeb(stream)
  const writer = writable.getWriter()
  await writer.write(Buffer.from('from the web'))
  t.is(String(await read(socket, 12)), 'from the web')
  socket.end('to the web')
  // Node ends it only when both halves have ended.
  await writer.close()
  let got = ''
  for await (const chunk of readable) got += Buffer.from(chunk).toString()
  t.is(got, 'to the web')
  socket.resume()
  await closed(socket)
})

test('a client is a stream', async (t) => {
  const to = await peer(t, 'tcp', (socket) => void socket.pipe(socket))
  const conn = await dial(t, { to, allowHalfOpen: true })
  const stream = toDuplex(conn)
  const events = note(stream)
  stream.end('there and back')
  t.is(await readStream(stream), 'there and back')
  await gone(stream)
  t.deepEqual(events.sort(), ['close', 'end', 'finish'])
})

unix('a Unix socket is a stream, without an address or options of TCP', async (t) => {
  const to = await peer(t, 'unix', (socket) => void socket.pipe(socket))
  const stream = streamOf(await dial(t, { to, allowHalfOpen: true }))
  t.deepEqual(stream.setNoDelay().setKeepAlive(true).address(), {})
  t.is(stream.remoteAddress, undefined)
  stream.end('there and back')
  t.is(await readStream(stream), 'there and back')
})

test('a stream has what a socket has', async (t) => {
  const { server, stream, conn, socket } = await streamed(t)
  t.is(stream.conn, conn)
  t.is(stream.remoteAddress, '127.0.0.1')
  t.is(stream.remotePort, socket.localPort)
  t.is(stream.remoteFamily, 'IPv4')
  t.deepEqual(stream.address(), { address: '127.0.0.1', family: 'IPv4', port: server.port })
  t.deepEqual(
    [stream.localAddress, stream.localFamily, stream.localPort],
    ['127.0.0.1', 'IPv4', server.port],
  )
  t.deepEqual([stream.connecting, stream.pending, stream.readyState], [false, false, 'open'])
  t.is(stream.setNoDelay(false).setKeepAlive(true, 7_000).unref().ref(), stream)
  const { noDelay, keepAlive } = await conn.socketOptions()
  t.false(noDelay)
  t.is((keepAlive as { idle: number }).idle, 7_000)
  stream.setNoDelay().setKeepAlive()
  t.like(await conn.socketOptions(), { noDelay: true, keepAlive: false })
  stream.write('twelve bytes')
  t.is(String(await read(socket, 12)), 'twelve bytes')
  t.is(stream.bytesWritten, 12)
  socket.write('five!')
  await once(stream, 'readable')
  t.is(stream.bytesRead, 5)
})

test('a lost connection that was never a stream is refused', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resetAndDestroy())
  const over = gate()
  const conn = await connectTo({ to, close: () => over.open() })
  await over.passed
  t.throws(() => toDuplex(conn), { code: 'ERR_CLOSED' })
})

test("a reader that reads once for each 'readable' gets everything, as from node:net", async (t) => {
  const length = 1 << 20
  const all = gate<number>()
  const server = await start(t, {
    allowHalfOpen: true,
    open(conn) {
      const stream = streamOf(conn)
      let got = 0
      stream.on('readable', () => {
        got += (stream.read() as Buffer | null)?.length ?? 0
        if (got === length) all.open(got)
      })
    },
  })
  const socket = await connect(server.port)
  socket.write(Buffer.alloc(length))
  t.is(await all.passed, length)
  socket.destroy()
})
