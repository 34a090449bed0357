/** Scenarios from gnet's own tests that fit no other spec here, with their numbers. */

import { availableParallelism } from 'node:os'
import test from 'ava'
import { type Conn, defineCodec, lengthField, raw, testCodec } from 'millrace'
import { closed, connect, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { sendInCuts } from './support/cuts.js'
import { bodyOf } from './support/framings.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'

test('T6: a server without handlers accepts connections and closes them', async (t) => {
  const server = await start(t, {})
  const socket = await connect(server.port)
  socket.end('nobody reads this')
  // Nobody pulls either, so the connection ends only when the server closes.
  await server.close({ timeout: 0 })
  await closed(socket)
  t.is(server.connections, 0)
})

test('T8: a timer ticks while a server runs, and its 25th tick closes the server', async (t) => {
  const server = await start(t, { message() {} })
  const socket = await connect(server.port)
  let ticks = 0
  const closing = new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      if (++ticks < 25) return
      clearInterval(timer)
      server.close().then(resolve, reject)
    }, 10)
  })
  await closing
  t.is(ticks, 25)
  t.is(String(await readAll(socket)), '')
})

test('T9: data written outside a handler reaches its peer, on many loops with small rings', async (t) => {
  const conns: Conn[] = []
  const opened = new Count()
  const server = await start(t, {
    loops: 2 * availableParallelism(),
    ringBytes: 4096,
    highWaterMark: 2000,
    open(conn) {
      conns.push(conn)
      opened.up()
    },
    message: () => t.fail('nobody sent anything'),
  })
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(server.port)))
  await opened.reaches(20)
  const bytes = bodyOf(100_000, 9)
  setTimeout(() => {
    for (const conn of conns) conn.end(bytes)
  })
  for (const socket of sockets) t.true((await readAll(socket)).equals(bytes))
})

/** The first two bytes of each packet. */
const MAGIC = 1314
/** The packets of gnet's SimServer: a magic number, the length of the body, the body. */
const packets = defineCodec<Buffer, Buffer>({
  framing: raw({ max: 4 << 20 }).framing,
  decode(from) {
    if (from.remaining < 6) return undefined
    if (from.u16() !== MAGIC) throw new Error('not a packet')
    const length = from.u32()
    return from.remaining < length ? undefined : from.bytes(length)
  },
  encode: (body, to) => void to.u16(MAGIC).u32(body.length).bytes(body),
})

function packet(body: Buffer): Buffer {
  const header = Buffer.alloc(6)
  header.writeUInt16BE(MAGIC)
  header.writeUInt32BE(body.length, 2)
  return Buffer.concat([header, body])
}

for (const [size, count] of [
  [64, 200],
  [256, 100],
  [1024, 100],
  [4096, 50],
  [16_384, 50],
  [65_536, 20],
  [131_072, 10],
  [524_288, 4],
  [1 << 20, 2],
] as const) {
  test(`T22: batches of ${count} packets of ${size} bytes come back whole, however the stream is cut`, async (t) => {
    const ended = new Count()
    const server = await start<Buffer, Buffer>(t, {
      codec: packets,
      message: (conn, body) => void conn.write(body),
      close(_conn, error) {
        t.is(error, undefined)
        ended.up()
      },
    })
    await Promise.all(
      Array.from({ length: 10 }, async (_, client) => {
        const draw = random(client)
        const bodies = Array.from({ length: count }, () => bodyOf(size, draw.whole(0, 1e6)))
        const stream = Buffer.concat(bodies.map(packet))
        const back = await sendInCuts(server.port, stream, stream, draw)
        t.deepEqual(back, { wrongAt: -1, length: stream.length }, `seed ${SEED}`)
      }),
    )
    await ended.reaches(10)
  })
}

test('T22: an invalid packet closes only its own connection', async (t) => {
  const errors: (Error | undefined)[] = []
  const ended = new Count()
  const server = await start<Buffer, Buffer>(t, {
    codec: packets,
    message: (conn, body) => void conn.write(body),
    close(_conn, error) {
      errors.push(error)
      ended.up()
    },
  })
  const good = await connect(server.port)
  const bad = await connect(server.port)
  bad.write(Buffer.concat([packet(Buffer.from('one')), Buffer.from('no packet at all')]))
  await closed(bad.resume())
  await ended.reaches(1)
  t.is(errors[0]?.message, 'not a packet')
  good.write(packet(Buffer.from('two')))
  t.deepEqual(await read(good, 9), packet(Buffer.from('two')))
})

for (const bytes of [1, 2, 3, 4, 8] as const) {
  for (const endian of ['big', 'little'] as const) {
    test(`T38: a length of ${bytes} bytes, ${endian} endian, carries the longest body it can count and refuses a longer one`, async (t) => {
      const most = bytes < 3 ? 256 ** bytes - 1 : 70_000
      const codec = lengthField({ bytes, endian, max: 1 << 25 })
      const server = await start<Buffer, Uint8Array | string>(t, {
        codec,
        open(conn) {
          conn.write(Buffer.alloc(0))
          conn.write(bodyOf(most, 1))
          if (bytes < 4) {
            const tooLong = Buffer.alloc(256 ** bytes)
            t.throws(() => conn.write(tooLong), { code: 'ERR_FRAME_INVALID' })
          }
          conn.end('x')
        },
        message() {},
      })
      const stream = await readAll(await connect(server.port))
      const { messages, error } = testCodec(codec, stream, { splits: [1, bytes, bytes + 1, 300] })
      t.is(error, undefined)
      t.deepEqual(
        messages.map((message) => message.length),
        [0, most, 1],
      )
      t.true(messages[1]?.equals(bodyOf(most, 1)))
      const header = stream.subarray(0, 2 * bytes)
      const written = Buffer.alloc(2 * bytes)
      if (bytes === 8) {
        if (endian === 'big') written.writeBigUInt64BE(BigInt(most), bytes)
        else written.writeBigUInt64LE(BigInt(most), bytes)
      } else if (endian === 'big') written.writeUIntBE(most, bytes, bytes)
      else written.writeUIntLE(most, bytes, bytes)
      t.deepEqual(header, written)
    })
  }
}
