/** Input that is held back while output waits: it is delivered in time, and all of it. */

import { writeFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { type Conn, line, sendFile } from 'millrace'
import type { ConnImpl } from '../lib/connection/conn-impl.js'
import { FULL } from '../lib/connection/flags.js'
import { connect, read } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { LOOPS, ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const KIB = 1024
const BLOCK = Buffer.alloc(64 * KIB, 'x')

for (const how of ['pushed', 'pulled', 'pushed, with a promise that lasts'] as const) {
  test(`a connection that fills itself from drain still gets its input: ${how}`, async (t) => {
    const stopped = gate()
    const over = gate()
    let isStopped = false
    const stop = () => {
      isStopped = true
      stopped.open()
    }
    const fill = (conn: Conn) => {
      while (!isStopped && conn.write(BLOCK));
    }
    const server = await start(t, {
      open(conn) {
        fill(conn)
        if (how === 'pulled') return conn[Symbol.asyncIterator]().next().then(stop)
        return how === 'pushed' ? undefined : over.passed
      },
      drain: fill,
      ...(how === 'pulled' ? {} : { message: stop }),
    })
    const socket = await connect(server.port)
    socket.resume()
    // It has drained, and filled itself, many times.
    while (socket.bytesRead < 16 * 1024 * KIB) await turns(1)
    socket.write('stop')
    await stopped.passed
    over.open()
    t.pass()
    socket.destroy()
  })
}

for (const how of ['pushed', 'pulled'] as const) {
  test(`a peer that reads is heard, though others keep its queue under the mark after a reply went over it: ${how}`, async (t) => {
    const MARK = 1024 * KIB
    const opened = gate<Conn>()
    let heard = 0
    const answer = (conn: Conn, bytes: Uint8Array) => {
      heard += bytes.length
      conn.write(Buffer.alloc(MARK / 2))
    }
    const server = await start(t, {
      sendBuffer: 16 * KIB,
      highWaterMark: MARK,
      async open(conn) {
        opened.open(conn)
        if (how === 'pulled') for await (const bytes of conn) answer(conn, bytes)
      },
      ...(how === 'pulled' ? {} : { message: answer }),
    })
    const socket = await connect(server.port)
    // A little in each turn: it never empties half of the queue in one.
    socket.on('data', () => {
      socket.pause()
      setImmediate(() => socket.resume())
    })
    const conn = await opened.passed
    for (let asked = 1; asked <= 10; asked++) {
      socket.write('?')
      const latest = conn.bytesWritten + 16 * MARK
      while (heard < asked && conn.bytesWritten < latest) {
        while (conn.buffered < 0.9 * MARK) conn.write(BLOCK)
        await turns(1)
      }
      t.is(heard, asked)
    }
    socket.destroy()
  })
}

/** Once `flag[0]` is 1: reads some of what has come, and leaves in the middle. */
const LEAVER = `
  const { path, flag, requests } = require('node:worker_threads').workerData
  const socket = require('node:net').connect(path, () => socket.write(requests))
  socket.pause()
  const begin = () => {
    if (flag[0] !== 1) return setImmediate(begin)
    let got = 0
    socket.on('data', (bytes) => {
      got += bytes.length
      if (got > 150 * 1024) socket.destroy()
    })
  }
  begin()
`

test('messages that waited for output are delivered though the connection closes as soon as they wait no more', async (t) => {
  const count = 400
  const path = freePath(t)
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const closed = gate<[string | undefined, number]>()
  const full = gate<Conn>()
  let delivered = 0
  const server = await start<Buffer>(t, {
    // The kernel takes about 200 KiB of one connection.
    listen: `unix://${path}`,
    loops: ONE,
    highWaterMark: 64 * KIB,
    codec: line(),
    message(conn) {
      delivered++
      conn.write('x'.repeat(3000))
      if ((conn as unknown as ConnImpl).flags & FULL) full.open(conn as unknown as Conn)
    },
    close: (_conn, error) => closed.open([codeOf(error), delivered]),
  })
  const worker = new Worker(LEAVER, {
    eval: true,
    workerData: { path, flag, requests: 'q\n'.repeat(count) },
  })
  const conn = await full.passed
  while (conn.bytesRead < 2 * count) await turns(1)
  Atomics.store(flag, 0, 1)
  // The loop drains and closes it while this thread stands still; inside this thread, it does so later.
  const isOver = () => server.stats().loops.some((loop) => loop.closed > 0)
  if (LOOPS !== 'inline') while (!isOver());
  const [code, before] = await closed.passed
  t.true(code === 'ECONNRESET' || code === 'EPIPE', code)
  t.is(before, count)
  await worker.terminate()
})

test('a message whose output waits for two loops is held back until both have taken it', async (t) => {
  const [own, others] = [Buffer.alloc(6 * KIB), Buffer.alloc(256 * KIB)]
  let [from, to]: (Conn | undefined)[] = []
  let most = 0
  let delivered = 0
  const all = gate()
  const count = 300
  const server = await start<Buffer>(t, {
    loops: LOOPS === 'inline' ? LOOPS : 2,
    ringBytes: 4 * KIB,
    autoPause: false,
    maxWriteBuffer: 1024 * 1024 * KIB,
    codec: line(),
    message(conn, text) {
      if (String(text) === 'from') from = conn as unknown as Conn
      else if (String(text) === 'to') to = conn as unknown as Conn
      else {
        from?.write(own)
        to?.write(others)
        most = Math.max(most, to?.buffered ?? 0)
        if (++delivered === count) all.open()
      }
    },
  })
  const sockets = []
  for (const name of ['from', 'to']) {
    const socket = await connect(server.port)
    sockets.push(socket.resume())
    socket.write(`${name}\n`)
    while ((name === 'from' ? from : to) === undefined) await turns(1)
  }
  sockets[0]?.write('x\n'.repeat(count))
  await all.passed
  // Of what one message has caused, some waits in the queue of the loop and some in the ring, and what went out before.
  t.true(most < 16 * 1024 * KIB, `${most} bytes waited of ${count * others.length}`)
  for (const socket of sockets) socket.destroy()
})

test('a file that is sent outside of handlers does not hold back what the peer has to say', async (t) => {
  const path = `${freePath(t)}.file`
  await writeFile(path, Buffer.alloc(16 * 1024 * KIB))
  const opened = gate<Conn>()
  const received = gate()
  const count = 8 * 1024 * KIB
  let got = 0
  const server = await start(t, {
    open: (conn) => opened.open(conn),
    message(_conn, bytes) {
      got += bytes.length
      if (got === count) received.open()
    },
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  const sending = sendFile(conn, path)
  // More than its mark waits, and the peer has said nothing yet.
  while (conn.buffered < 1024 * KIB) await turns(1)
  // It reads only after all it has to say was heard.
  socket.write(Buffer.alloc(count))
  await received.passed
  await read(socket, 16 * 1024 * KIB)
  t.is(await sending, 16 * 1024 * KIB)
  socket.destroy()
})

test('other work of Node gets its turn while much output goes into a small ring', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, {
    loops: ONE,
    ringBytes: 4 * KIB,
    maxWriteBuffer: 1024 * 1024 * KIB,
    open: (conn) => opened.open(conn),
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  const count = 100_000
  let others = 0
  const turn = () => {
    others++
    if (conn.buffered > 0) setImmediate(turn)
  }
  setImmediate(turn)
  for (let written = 0; written < count; written++) conn.write('x')
  await read(socket, count)
  t.true(others > 5, `${others} turns`)
  socket.destroy()
})
