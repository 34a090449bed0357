import test from 'ava'
import { lengthField } from 'millrace'
import { connect, readAll } from './support/client.js'
import { sendInCuts } from './support/cuts.js'
import { bodyOf } from './support/framings.js'
import { tally } from './support/gate.js'
import { random, SEED } from './support/random.js'
import { LOOPS, start } from './support/serve.js'

const MIB = 1 << 20
const LARGEST = 8 * MIB
const CONNECTIONS = 4
/** The smallest rings: an 8 MiB message goes through them in thousands of parts. */
const SMALL = { loops: LOOPS === 'inline' ? LOOPS : 1, ringBytes: 4096 } as const
const MARKS = { highWaterMark: 4 * LARGEST, maxWriteBuffer: 8 * LARGEST }

function frame(body: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(body.length)
  return Buffer.concat([header, body])
}

test('rings that are full in both directions at once drain, with messages of 8 MiB', async (t) => {
  const pushed = bodyOf(LARGEST, 12_345)
  const received = tally<number>(CONNECTIONS)
  const server = await start<Buffer, Uint8Array>(t, {
    ...SMALL,
    ...MARKS,
    codec: lengthField({ max: LARGEST }),
    // The server sends before it has read anything, and each reply while more comes in.
    open: (conn) => void conn.write(pushed),
    message(conn, body) {
      conn.write(body)
      received.hit(body.length)
    },
  })
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, client) => {
      const stream = frame(bodyOf(LARGEST, client * 7919))
      const expected = Buffer.concat([frame(pushed), stream])
      const { wrongAt, length } = await sendInCuts(server.port, stream, expected, random(client))
      t.is(wrongAt, -1, `seed ${SEED}`)
      t.is(length, expected.length)
    }),
  )
  t.deepEqual(await received.all, Array(CONNECTIONS).fill(LARGEST))
})

test('the smallest rings never mix the messages of two connections', async (t) => {
  const clients = 20
  const sizes = [0, 1, 900, 1008, 1009, 5000, 100_000]
  const server = await start<Buffer, Uint8Array>(t, {
    ...SMALL,
    ...MARKS,
    codec: lengthField({ max: MIB }),
    message(conn, body) {
      // To every client, while they are all sending.
      if (body.length === 900) for (const each of server) each.write(body)
      else conn.write(body)
    },
  })
  const sockets = await Promise.all(Array.from({ length: clients }, () => connect(server.port)))
  // The bodies of each client repeat one byte, which no other client uses.
  const replies = await Promise.all(
    sockets.map(async (socket, client) => {
      socket.write(Buffer.concat(sizes.map((size) => frame(Buffer.alloc(size, client + 1)))))
      const chunks: Buffer[] = []
      let length = 0
      const due = clients * 904 + sizes.reduce((sum, size) => sum + 4 + size, 0) - 904
      for await (const chunk of socket) {
        chunks.push(chunk as Buffer)
        length += (chunk as Buffer).length
        if (length === due) socket.end()
      }
      return Buffer.concat(chunks)
    }),
  )
  for (const [client, got] of replies.entries()) {
    const own: number[] = []
    let count = 0
    for (let at = 0; at < got.length; count++) {
      const size = got.readUInt32BE(at)
      const body = got.subarray(at + 4, at + 4 + size)
      t.true(body.every((byte) => byte === body[0]))
      if (size === 0 || body[0] === client + 1) own.push(size)
      at += 4 + size
    }
    t.is(count, clients + sizes.length - 1)
    t.deepEqual(own, sizes)
  }
})

test('a handler that fills the ring again and again loses nothing', async (t) => {
  const count = 20_000
  const server = await start<Buffer, Uint8Array | string>(t, {
    ...SMALL,
    ...MARKS,
    open(conn) {
      for (let at = 0; at < count; at++) conn.write(`${at}\n`)
      conn.end()
    },
  })
  const got = await readAll(await connect(server.port))
  t.true(got.toString() === Array.from({ length: count }, (_, at) => `${at}\n`).join(''))
})
