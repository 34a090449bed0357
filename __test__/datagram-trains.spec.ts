import { createHash } from 'node:crypto'
import test from 'ava'
import type { DatagramInfo } from 'millrace'
import { bound, LARGEST, peer } from './support/datagrams.js'
import { gate } from './support/gate.js'

/** Bytes that differ from those of every other datagram. */
function payload(seed: number, size: number): Buffer {
  const all: Buffer[] = []
  for (let at = 0; at * 32 < size; at++)
    all.push(createHash('sha256').update(`${seed}/${at}`).digest())
  return Buffer.concat(all).subarray(0, size)
}

/**
 * Datagrams that the system can send in trains: runs of one size with a shorter last one, between empty
 * datagrams, datagrams too long for a train, and single ones.
 */
function run(round: number): Buffer[] {
  const sizes = [64, 1, 1400, 333, LARGEST, 900, 65, 1200]
  const size = Math.min(sizes[round % sizes.length] as number, LARGEST)
  const count = size > 1400 ? 2 : 24
  const all = Array.from({ length: count }, (_, at) => payload(round * 100 + at, size))
  all.push(payload(round * 100 + 90, ((size * 7) % LARGEST) >> 1))
  if (round % 3 === 0) all.push(Buffer.alloc(0))
  all.push(payload(round * 100 + 91, Math.min(size, 50)))
  return all
}

test('datagrams of two flooding sockets are echoed byte for byte', async (t) => {
  const ROUNDS = 80
  const over = gate<void>()
  let ended = 0
  /** A socket that sends a run once the run before has come back, and compares the bytes. */
  const receiveBuffer = 4 << 20
  const echo = await bound(t, {
    receiveBuffer,
    message: (socket, message, info) => void socket.send(message, info),
  })
  const flood = async () => {
    let round = 0
    let waits: Buffer[] = []
    const next = (socket: { send(message: Buffer, to: string): boolean }) => {
      if (round === ROUNDS) {
        if (++ended === 2) over.open()
        return
      }
      waits = run(round++)
      for (const bytes of waits) socket.send(bytes, `127.0.0.1:${echo.port}`)
    }
    const socket = await bound(t, {
      receiveBuffer,
      message(socket, message, info: DatagramInfo) {
        const wanted = waits.shift()
        if (wanted === undefined || !wanted.equals(message) || info.truncated)
          t.fail(`round ${round}: ${message.length} bytes came, not ${wanted?.length}`)
        if (waits.length === 0) next(socket)
      },
    })
    next(socket)
    return socket
  }
  const both = await Promise.all([flood(), flood()])
  await over.passed
  for (const socket of both) {
    const { received, sent, bytesRead, bytesWritten, truncated, errors } = socket.stats()
    t.is(received, sent)
    t.is(bytesRead, bytesWritten)
    t.deepEqual({ truncated, errors }, { truncated: 0, errors: 0 })
  }
})

test('in a batch every datagram longer than max is cut, and no other', async (t) => {
  const sizes = [300, 300, 300, 300, 200, 201, 201, 201, 199, 0, 1]
  const { passed, open } = gate<void>()
  const seen: (readonly [Buffer, boolean])[] = []
  const socket = await bound(t, {
    max: 200,
    message(_, message, info) {
      seen.push([message, info.truncated])
      if (seen.length === sizes.length) open()
    },
  })
  const sender = await bound(t)
  const sent = sizes.map((size, at) => payload(at, size))
  for (const bytes of sent) sender.send(bytes, `127.0.0.1:${socket.port}`)
  await passed
  t.deepEqual(
    seen,
    sent.map((bytes) => [bytes.subarray(0, 200), bytes.length > 200] as const),
  )
  t.is(socket.stats().truncated, 7)
  t.is(socket.stats().received, sizes.length)
})

test('a batch that arrives while a socket is paused is delivered in order after resume', async (t) => {
  const { passed, open } = gate<void>()
  const seen: Buffer[] = []
  const sent = Array.from({ length: 48 }, (_, at) => payload(at, at % 20 === 19 ? 77 : 700))
  const socket = await bound(t, {
    message(socket, message) {
      seen.push(message)
      if (seen.length === 1 || seen.length === 20) {
        socket.pause()
        setImmediate(() => socket.resume())
      }
      if (seen.length === sent.length) open()
    },
  })
  const sender = await bound(t)
  socket.pause()
  for (const bytes of sent) sender.send(bytes, `127.0.0.1:${socket.port}`)
  setImmediate(() => socket.resume())
  await passed
  t.deepEqual(seen, sent)
})

test('without receiveOffload every datagram that the kernel drops is counted', async (t) => {
  if (process.platform !== 'linux') {
    t.log('only Linux counts the datagrams it dropped')
    t.pass()
    return
  }
  let count = 0
  const { passed, open } = gate<void>()
  const socket = await bound(t, {
    receiveBuffer: 1,
    receiveOffload: false,
    message(_, message) {
      if (String(message) === 'last') open()
      else count++
    },
  })
  socket.pause()
  const sender = await bound(t, { maxWriteBuffer: 16 << 20, highWaterMark: 16 << 20 })
  for (let at = 0; at < 3000; at++) sender.send(payload(1, 200), `127.0.0.1:${socket.port}`)
  // Closing still sends everything that was queued before.
  await sender.close()
  t.is(sender.stats().sent, 3000)
  const { dropped } = socket.stats()
  t.true(dropped > 2000)
  socket.resume()
  // `last` may itself be dropped while the kernel's buffer is full.
  let isThrough = false
  void passed.then(() => {
    isThrough = true
  })
  const client = await peer(t)
  while (!isThrough) {
    client.send('last', socket.port)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.is(count + dropped, 3000)
})
