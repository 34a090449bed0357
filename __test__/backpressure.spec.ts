import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import type { Conn } from 'millrace'
import { closed, connect, read, readAll } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { LOOPS, ONE, start } from './support/serve.js'

const KIB = 1024
const MIB = 1024 * KIB
const PUSH = Buffer.alloc(64 * KIB, 'x')
/** More than the kernel buffers for a client that does not read. */
const MUCH = 64 * MIB

/** Writes until `write` returns `false`. Returns how many bytes that took. */
function fill(conn: Conn): number {
  let count = 0
  do count += PUSH.length
  while (conn.write(PUSH) && count < MUCH)
  return count
}

test('a client that never reads makes write return false, then the connection is destroyed', async (t) => {
  const refused = gate<number>()
  const ended = gate<[Error | undefined, number]>()
  const server = await start(t, {
    open(conn) {
      refused.open(fill(conn))
      // The server ignores `false` and keeps writing.
      while (conn.readyState === 'open') conn.write(PUSH)
      t.false(conn.write(PUSH), 'and nothing more is accepted')
    },
    close(conn, error) {
      ended.open([error, conn.bytesWritten])
    },
  })
  const socket = await connect(server.port)
  const [error, written] = await ended.passed
  t.is(codeOf(error), 'ERR_WRITE_BUFFER_FULL')
  t.true((await refused.passed) > MIB, 'not before the high-water mark')
  t.true(written > 16 * MIB, 'not before maxWriteBuffer')
  t.true(written < MUCH)
  socket.destroy()
})

/** Ways to write all that a connection takes. Each tells how often it wrote. */
const FILLINGS: Record<string, (conn: Conn) => number | Promise<number>> = {
  'until write returns false'(conn) {
    return fill(conn) / PUSH.length
  },
  'as long as it is open'(conn) {
    let count = 0
    while (conn.readyState === 'open' && count < 1000) {
      conn.write(PUSH)
      count++
    }
    return count
  },
  async 'with drained() after each false'(conn) {
    let count = 0
    try {
      for (; count < 1000; count++) if (!conn.write(PUSH)) await conn.drained()
    } catch {}
    return count
  },
}

/** Once `flag[0]` is 1: connects 20 times, one after the other, then makes it 2. */
const NEWCOMERS = `
  const { port, flag } = require('node:worker_threads').workerData
  Atomics.wait(flag, 0, 0)
  const sockets = []
  const next = () => {
    if (sockets.length < 20) {
      sockets.push(require('node:net').connect(port, '127.0.0.1', next))
      return
    }
    for (const socket of sockets) socket.destroy()
    Atomics.store(flag, 0, 2)
    Atomics.notify(flag, 0)
  }
  next()
`

for (const [how, writeAll] of Object.entries(FILLINGS)) {
  test(`a handler that fills a connection that its peer has reset comes to an end, though others connect meanwhile: ${how}`, async (t) => {
    const ended = gate<string | undefined>()
    const written = gate<[number, number]>()
    const flag = new Int32Array(new SharedArrayBuffer(4))
    const server = await start(t, {
      loops: ONE,
      async message(conn) {
        // Closes the descriptor at once.
        socket.resetAndDestroy()
        Atomics.store(flag, 0, 1)
        Atomics.notify(flag, 0)
        Atomics.wait(flag, 0, 1)
        const received = conn.bytesRead
        written.open([await writeAll(conn), received])
      },
      close: (_conn, error) => ended.open(codeOf(error)),
    })
    const worker = new Worker(NEWCOMERS, { eval: true, workerData: { port: server.port, flag } })
    const exited = once(worker, 'exit')
    await once(worker, 'online')
    const socket = await connect(server.port)
    socket.write('go')
    const [count, received] = await written.passed
    t.true(count > 0 && count < 1000, `${count} writes`)
    t.is(received, 2)
    // A loop inside this thread stood still meanwhile.
    const codes =
      LOOPS === 'inline' || how === 'as long as it is open'
        ? ['ERR_WRITE_BUFFER_FULL', 'ECONNRESET']
        : ['ECONNRESET']
    t.true(codes.includes((await ended.passed) ?? 'none'))
    await exited
  })
}

for (const highWaterMark of [1, 1000, 64 * KIB, MIB]) {
  test(`drain follows a false of write when the client reads again (highWaterMark: ${highWaterMark})`, async (t) => {
    const episodes = 20
    let refused = 0
    let drains = 0
    const ended = gate<Error | undefined>()
    const go = (conn: Conn) => {
      if (refused === episodes) {
        conn.end()
        return
      }
      fill(conn)
      refused++
    }
    const server = await start(t, {
      highWaterMark,
      open: go,
      drain(conn) {
        drains++
        t.is(drains, refused, 'one drain for each false')
        go(conn)
      },
      close(_, error) {
        ended.open(error)
      },
    })
    const socket = await connect(server.port)
    const got = await readAll(socket)
    t.is(await ended.passed, undefined)
    t.is(drains, episodes)
    t.is(got.length % PUSH.length, 0)
    t.true(got.length >= episodes * PUSH.length)
  })
}

test('drain follows a false of write even if the kernel takes everything at once', async (t) => {
  // One write of one byte over the mark: the loop's queue never grows, so it never crosses the mark.
  const rounds = 500
  let drains = 0
  const server = await start(t, {
    highWaterMark: 1000,
    open(conn) {
      t.false(conn.write(Buffer.alloc(1001)))
    },
    drain(conn) {
      drains++
      if (drains === rounds) conn.end()
      else while (conn.write(Buffer.alloc(1001)));
    },
  })
  const got = await readAll(await connect(server.port))
  t.true(got.length >= rounds * 1001)
  t.is(drains, rounds)
})

test('write returns false until drain, and true after it', async (t) => {
  const drained = gate()
  const server = await start(t, {
    highWaterMark: 10,
    open(conn) {
      t.deepEqual(
        [conn.write('0123456789a'), conn.write('b'), conn.write('')],
        [false, false, false],
      )
    },
    drain(conn) {
      t.true(conn.write('c'))
      conn.end()
      drained.open()
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), '0123456789abc')
  await drained.passed
})

test('drained resolves at once below the mark and with drain above it, and rejects with the error of the close', async (t) => {
  const order: string[] = []
  const mine = new Error('mine')
  const rejected = gate<unknown>()
  const server = await start(t, {
    async open(conn) {
      await conn.drained()
      order.push('nothing to wait for')
      fill(conn)
      await conn.drained()
      order.push('drained')
      fill(conn)
      conn.drained().catch(rejected.open)
      conn.destroy(mine)
      await conn.drained().catch((error) => t.is(error, mine))
    },
    drain() {
      order.push('drain')
    },
  })
  const socket = await connect(server.port)
  socket.resume()
  t.is(await rejected.passed, mine)
  t.deepEqual(order, ['nothing to wait for', 'drain', 'drained'])
  await closed(socket)
})

test('drain does not come while more than the mark is still queued, even if it was written after false', async (t) => {
  const seen: number[] = []
  const filled = gate<Conn>()
  const server = await start(t, {
    maxWriteBuffer: MUCH,
    open(conn) {
      if (server.connections > 1) return
      // Far more than the kernel can hold, and `false` is ignored.
      for (let count = 0; count < MUCH / 2; count += PUSH.length) conn.write(PUSH)
      filled.open(conn)
    },
    message(conn, chunk) {
      conn.write(chunk)
    },
    async drain(conn) {
      seen.push(conn.buffered)
      await conn.flushed()
      seen.push(conn.buffered)
      conn.end()
    },
  })
  const socket = await connect(server.port)
  const conn = await filled.passed
  // After round trips of another connection, the loop has taken all of it, and the kernel what it can.
  const other = await connect(server.port)
  for (let at = 0; at < 100; at++) {
    other.write('ping')
    await read(other, 4)
  }
  other.destroy()
  t.true(conn.buffered > MIB)
  t.deepEqual(seen, [])
  const got = await readAll(socket)
  const [atDrain = -1, atFlushed] = seen
  t.true(atDrain >= 0 && atDrain <= MIB / 2)
  t.is(atFlushed, 0)
  t.is(conn.bytesWritten, got.length)
  t.is(conn.buffered, 0)
})

for (const autoPause of [true, false]) {
  const outcome = autoPause ? 'pauses reading and loses nothing' : 'ends with ERR_WRITE_BUFFER_FULL'
  test(`an echo to a client that does not read ${outcome} (autoPause: ${autoPause})`, async (t) => {
    const refused = gate<Conn>()
    const ended = gate<Error | undefined>()
    const server = await start(t, {
      autoPause,
      message(conn, chunk) {
        if (!conn.write(chunk)) refused.open(conn)
      },
      close: (_, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    for (let sent = 0; sent < MUCH; sent += PUSH.length) socket.write(PUSH)
    if (!autoPause) {
      t.is(codeOf(await ended.passed), 'ERR_WRITE_BUFFER_FULL')
      socket.destroy()
      return
    }
    const conn = await refused.passed
    t.true(conn.buffered < 4 * MIB)
    socket.end()
    t.is((await readAll(socket)).length, MUCH)
    t.is(await ended.passed, undefined)
  })
}
