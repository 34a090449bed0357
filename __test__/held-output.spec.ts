/** Output that waits for room in a loop's ring: whom it holds back, and whom it does not. */

import { randomBytes } from 'node:crypto'
import test from 'ava'
import { type Conn, type ErrorCode, line } from 'millrace'
import { OutboundQueue } from '../lib/runtime/outbound-queue.js'
import type { SlotHandle } from '../lib/runtime/record-handlers.js'
import { RingWriter } from '../lib/runtime/ring-writer.js'
import { connect, connectHalfOpen, read, readAll, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { ANY, ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const KIB = 1024
/** One loop, and rings that are full at once. */
const SMALL = { loops: ONE, ringBytes: 4 * KIB } as const

test('connections that are topped up all the time hold nobody else back', async (t) => {
  const block = Buffer.alloc(64 * KIB)
  const topped = new Set<Conn>()
  const closed = gate()
  const server = await start(t, {
    loops: ONE,
    message(conn, bytes) {
      if (bytes[0] === 0) topped.add(conn)
      else conn.write('pong')
    },
    close(conn) {
      if (!topped.delete(conn)) closed.open()
    },
  })
  let isOver = false
  t.teardown(() => {
    isOver = true
  })
  const topUp = () => {
    // At the end of the test they are destroyed, and take nothing more.
    if (isOver) return
    for (const conn of topped) while (conn.buffered < 900_000) conn.write(block)
    setImmediate(topUp)
  }
  const readers = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = await connect(server.port)
      socket.resume().write(Buffer.alloc(1))
      return socket
    }),
  )
  const other = await connect(server.port)
  topUp()
  for (let count = 0; count < 10; count++) {
    other.write('ping')
    t.is(String(await read(other, 4)), 'pong')
  }
  other.end()
  await closed.passed
  for (const socket of readers) socket.destroy()
})

for (const how of ['pushed', 'pulled'] as const) {
  test(`${how} requests whose replies wait for room wait with them, and all are answered`, async (t) => {
    const reply = Buffer.alloc(64 * KIB, 'x')
    const count = 500
    let most = 0
    const answer = (conn: Conn<Buffer>, text: Buffer) => {
      conn.write([text, reply])
      most = Math.max(most, conn.buffered)
    }
    const server = await start<Buffer>(t, {
      ...SMALL,
      codec: line({ max: 128 * KIB }),
      ...(how === 'pushed'
        ? { message: answer }
        : {
            async open(conn: Conn<Buffer>) {
              for await (const text of conn) answer(conn, text)
            },
          }),
    })
    const socket = await connect(server.port, { allowHalfOpen: true })
    socket.end(Array.from({ length: count }, (_, at) => `${at} \n`).join(''))
    const got = String(await readAll(socket))
    t.is(got.length, count * (64 * KIB + 2) + '0123456789'.length + 90 * 2 + 400 * 3)
    t.deepEqual(
      got.split('\n').map((text) => Number.parseInt(text, 10)),
      [...Array.from({ length: count }, (_, at) => at), Number.NaN],
    )
    // What fits in the mark, in the ring and in one reply; all replies would be 32 MiB.
    t.true(most < 3 * 1024 * KIB, `${most} bytes waited`)
  })
}

test('what was received before a bad frame is delivered, though its replies wait for room', async (t) => {
  const reply = Buffer.alloc(20 * KIB, 'x')
  const count = 30
  let delivered = 0
  const closed = gate<[ErrorCode | string | undefined, number]>()
  const server = await start<Buffer>(t, {
    ...SMALL,
    codec: line({ max: 64 * KIB }),
    message(conn) {
      delivered++
      conn.write(reply)
    },
    close: (_conn, error) => closed.open([codeOf(error), delivered]),
  })
  const socket = await connect(server.port)
  socket.write(`${'a\n'.repeat(count)}${'b'.repeat(65 * KIB)}`)
  t.is((await readAll(socket)).length, count * (20 * KIB + 1))
  t.deepEqual(await closed.passed, ['ERR_FRAME_TOO_LARGE', count])
})

const RELAYS = {
  'handlers that return nothing': {},
  'handlers with promises': { isAsync: true },
  'a session of its own for each': { hasSession: true },
}

for (const kind of ['tcp', 'unix'] as const)
  for (const [how, { isAsync = false, hasSession = false }] of Object.entries<{
    isAsync?: boolean
    hasSession?: boolean
  }>(RELAYS)) {
    test(`peers that read late do not wait for each other through a relay by hand: ${kind}, ${how}`, async (t) => {
      const over = gate()
      const path = freePath(t)
      let waiting: Conn | undefined
      const partners = new Map<Conn, Conn>()
      const server = await start(t, {
        listen: kind === 'unix' ? `unix://${path}` : ANY,
        allowHalfOpen: true,
        open(conn) {
          if (waiting === undefined) waiting = conn
          else partners.set(conn, waiting).set(waiting, conn)
          return hasSession ? over.passed : undefined
        },
        message(conn, bytes) {
          partners.get(conn)?.write(bytes)
          return isAsync ? Promise.resolve() : undefined
        },
        end: (conn) => partners.get(conn)?.end(),
      })
      const to = kind === 'unix' ? path : server.port
      const sockets = [await connectHalfOpen(to), await connectHalfOpen(to)]
      while (partners.size < 2) await turns(1)
      const body = randomBytes(8 * 1024 * KIB)
      // Each has sent everything before it reads.
      await Promise.all(
        sockets.map((socket) => new Promise<void>((done) => socket.end(body, () => done()))),
      )
      for (const got of await Promise.all(sockets.map(readHalf))) t.true(got.equals(body))
      over.open()
    })
  }

test('in a chat, a peer that does not read is still heard, and is lost once too much waits', async (t) => {
  const heard = [gate(), gate(), gate()]
  const lost = gate<string | undefined>()
  const server = await start(t, {
    highWaterMark: 64 * KIB,
    maxWriteBuffer: 8 * 1024 * KIB,
    message(conn, bytes) {
      if (bytes.length < 10) heard[Number(bytes)]?.open()
      else for (const each of server) if (each !== conn) each.write(bytes)
    },
    close: (_conn, error) => error && lost.open(codeOf(error)),
  })
  const [talker, listener] = [await connect(server.port), await connect(server.port)]
  while (server.connections < 2) await turns(1)
  const [deaf] = [...server].filter((conn) => conn.remotePort === listener.localPort)
  // More than its mark, and than the kernel takes.
  while ((deaf?.buffered ?? 0) < 1024 * KIB) {
    talker.write(Buffer.alloc(64 * KIB))
    await turns(1)
  }
  for (let count = 0; count < 3; count++) {
    listener.write(`${count}`)
    await heard[count]?.passed
  }
  while (deaf?.readyState !== 'closed') {
    talker.write(Buffer.alloc(64 * KIB))
    await turns(1)
  }
  t.is(await lost.passed, 'ERR_WRITE_BUFFER_FULL')
  talker.end()
  listener.destroy()
})

/** Somebody who may be held back. */
function somebody(slot: number) {
  const handle = {
    slot,
    generation: 1,
    isHeld: false as boolean,
    hold() {
      handle.isHeld = true
    },
    release() {
      handle.isHeld = false
    },
  } satisfies SlotHandle & { isHeld: boolean }
  return handle
}

/** A ring of 4 KiB, and the slots of the records in it. */
function smallRing() {
  const memory = new ArrayBuffer(4096)
  const ring = new RingWriter(memory)
  const words = new Int32Array(memory)
  return { ring, empty: () => ring.taken(ring.tail), words }
}

test('whoever has records in the queue, or has caused some, is held back until they have gone out', (t) => {
  const { ring, empty } = smallRing()
  const queue = new OutboundQueue()
  const [writer, cause, other] = [somebody(1), somebody(2), somebody(3)]
  for (let count = 0; count < 8; count++) queue.push(2, writer, Buffer.alloc(900), cause)
  t.deepEqual(
    [writer, cause, other].map((each) => each.isHeld),
    [true, true, false],
  )
  t.true(queue.has(writer))
  t.false(queue.has(other))
  for (let turn = 0; turn < 2; turn++) {
    queue.moveInto(ring)
    t.true(writer.isHeld && cause.isHeld)
    // A part of the ring is left to the others.
    t.true(ring.push(2, other, Buffer.alloc(900)))
    empty()
  }
  while (!queue.isEmpty) {
    queue.moveInto(ring)
    empty()
  }
  t.deepEqual([writer.isHeld, cause.isHeld, queue.has(writer)], [false, false, false])
})

test('records of somebody who sends nothing more are skipped, those behind them go out, and nobody stays held', (t) => {
  const { ring, words } = smallRing()
  const queue = new OutboundQueue()
  const [gone, cause, other] = [somebody(1), somebody(2), somebody(3)]
  queue.push(2, gone, Buffer.alloc(8), cause)
  queue.push(2, other, Buffer.alloc(8))
  queue.push(2, gone, Buffer.alloc(8))
  queue.remove(gone)
  // Its last record, which has to go out.
  queue.push(7, gone, undefined)
  queue.moveInto(ring)
  t.true(queue.isEmpty)
  t.deepEqual([words[0], words[2], words[6], words[8]], [3, 2, 1, 7])
  t.deepEqual([cause.isHeld, other.isHeld], [false, false])
})

test('a queue that takes the records of another holds back whoever is held there, and lets go in time', (t) => {
  const { ring, empty } = smallRing()
  const [queue, nested] = [new OutboundQueue(), new OutboundQueue()]
  const [writer, gone, cause] = [somebody(1), somebody(2), somebody(3)]
  nested.push(2, gone, Buffer.alloc(8), cause)
  nested.remove(gone)
  queue.append(nested)
  t.false(cause.isHeld)
  nested.push(2, writer, Buffer.alloc(3000), cause)
  queue.append(nested)
  t.true(writer.isHeld && cause.isHeld && nested.isEmpty)
  while (!queue.isEmpty) {
    queue.moveInto(ring)
    empty()
  }
  t.false(writer.isHeld || cause.isHeld)
  queue.push(2, writer, Buffer.alloc(3000), cause)
  queue.drop()
  t.false(writer.isHeld || cause.isHeld)
  t.true(queue.isEmpty)
})
