/** Sending files: what arrives, what it refuses, and what happens if the rest cannot be sent. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { truncateSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Conn, line, pipe, raw, sendFile } from 'millrace'
import { connect, connectHalfOpen, connectHalfOpenTo, readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { fileOf } from './support/file.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { HALF, pair } from './support/pipe.js'
import { start } from './support/serve.js'
import { unix } from './support/system.js'
import { turns } from './support/turns.js'

/** A connection of a server, and its peer. */
async function single(t: ExecutionContext, options: Parameters<typeof start>[1] = {}) {
  const opened = gate<Conn>()
  const closed = gate<string | undefined>()
  const server = await start(t, {
    ...HALF,
    ...options,
    open: opened.open,
    close: (_conn, error) => closed.open(codeOf(error)),
  })
  const socket = await connectHalfOpenTo(server.addresses[0])
  return { server, conn: await opened.passed, socket, closed: closed.passed }
}

const BODY = randomBytes(3_000_001)

for (const [name, range, expected] of [
  ['all of it', {}, BODY],
  ['from a byte on', { start: 1_000_000 }, BODY.subarray(1_000_000)],
  ['a range, whose end belongs to it', { start: 10, end: 700_000 }, BODY.subarray(10, 700_001)],
  ['one byte', { start: 5, end: 5 }, BODY.subarray(5, 6)],
  ['up to its last byte', { start: 2_999_999, end: 3_000_000 }, BODY.subarray(2_999_999)],
  ['nothing behind its end', { start: 3_000_001 }, BODY.subarray(3_000_001)],
] as const) {
  test(`a file is sent: ${name}`, async (t) => {
    const { conn, socket } = await single(t)
    const path = fileOf(t, BODY)
    conn.write('before, ')
    t.is(await sendFile(conn, path, range), expected.length)
    conn.end(', after')
    const all = await readHalf(socket)
    t.true(all.equals(Buffer.concat([Buffer.from('before, '), expected, Buffer.from(', after')])))
    t.is(conn.bytesWritten, expected.length + 15)
    socket.end()
  })
}

test('a file is sent by its URL, and an empty one sends nothing', async (t) => {
  const { conn, socket } = await single(t)
  t.is(await sendFile(conn, pathToFileURL(fileOf(t, 'by URL'))), 6)
  t.is(await sendFile(conn, fileOf(t, '')), 0)
  conn.end()
  t.is(String(await readHalf(socket)), 'by URL')
  socket.end()
})

test('an open file is sent from any byte on, and stays open and where it was', async (t) => {
  const { conn, socket } = await single(t)
  const file = await open(fileOf(t, 'an open file'))
  t.is((await file.read(Buffer.alloc(2), 0, 2)).bytesRead, 2)
  t.is(await sendFile(conn, file), 12)
  t.is(await sendFile(conn, file, { start: 2, end: 6 }), 5)
  t.is(String((await file.read(Buffer.alloc(20), 0, 20)).buffer).slice(0, 10), ' open file')
  await file.close()
  await t.throwsAsync(sendFile(conn, file), { code: 'EBADF' })
  const directory = await open(tmpdir())
  await t.throwsAsync(sendFile(conn, directory), { code: 'ERR_NOT_A_FILE' })
  await directory.close()
  conn.end()
  t.is(String(await readHalf(socket)), 'an open file open')
  socket.end()
})

test('nothing else can be written while a file is sent, and everything can afterwards', async (t) => {
  const { server, conn, socket } = await single(t)
  const { a, sockets } = await pair(t)
  const sending = sendFile(conn, fileOf(t, 'file'))
  const again = sendFile(conn, fileOf(t, 'file'))
  t.throws(() => conn.write('no'), { code: 'ERR_PIPED', message: /sends a file/ })
  t.throws(() => conn.end('no'), { code: 'ERR_PIPED' })
  await t.throwsAsync(again, { code: 'ERR_PIPED' })
  await t.throwsAsync(pipe(conn, a), { code: 'ERR_PIPED' })
  t.is(server.broadcast('to nobody'), 0)
  t.is(await sending, 4)
  t.is(server.broadcast(', all'), 1)
  conn.end(', mine')
  t.is(String(await readHalf(socket)), 'file, all, mine')
  for (const each of [socket, ...sockets]) each.end()
})

test('what sendFile refuses leaves the connection as it is', async (t) => {
  const { conn, socket } = await single(t)
  const framed = await single(t, { codec: line() as never })
  const path = fileOf(t, 'x')
  for (const [target, file, options, code] of [
    [conn, path, { start: -1 }, 'ERR_INVALID_OPTION'],
    [conn, path, { start: 3, end: 2 }, 'ERR_INVALID_OPTION'],
    [conn, path, { begin: 3 }, 'ERR_INVALID_OPTION'],
    [conn, path, { signal: 1 }, 'ERR_INVALID_OPTION'],
    [{}, path, {}, 'ERR_INVALID_OPTION'],
    [conn, tmpdir(), {}, 'ERR_NOT_A_FILE'],
    [conn, path, { end: 1 }, 'ERR_FILE_TOO_SHORT'],
    [conn, path, { start: 1, end: 1 }, 'ERR_FILE_TOO_SHORT'],
    [conn, path, { start: 2 }, 'ERR_FILE_TOO_SHORT'],
    [conn, undefined, {}, 'ERR_INVALID_ARG_TYPE'],
    [conn, null, {}, 'ERR_INVALID_ARG_TYPE'],
    [conn, {}, {}, 'ERR_INVALID_ARG_TYPE'],
    [conn, `${path}.not`, {}, 'ENOENT'],
    [framed.conn, path, {}, 'ERR_UNSUPPORTED'],
  ] as never as [Conn, string, object, string][]) {
    await t.throwsAsync(sendFile(target, file, options), { code })
  }
  const aborted = sendFile(conn, path, { signal: AbortSignal.abort() }).catch(({ name }) => name)
  t.is(await aborted, 'AbortError')
  conn.end('as it was')
  t.is(String(await readHalf(socket)), 'as it was')
  await t.throwsAsync(sendFile(conn, path), { code: 'ERR_CLOSED' })
  socket.end()
  framed.socket.destroy()
})

test('a file that becomes shorter resets the connection, because the peer expects the rest', async (t) => {
  const { conn, socket, closed } = await single(t)
  const path = fileOf(t, Buffer.alloc(64 << 20))
  const sending = sendFile(conn, path)
  socket.once('data', () => truncateSync(path, 1000))
  await t.throwsAsync(sending, { code: 'ERR_FILE_CHANGED' })
  t.is(await closed, 'ERR_FILE_CHANGED')
  socket.destroy()
})

test('a peer that vanishes, and a signal, end the sending of a file that nobody reads', async (t) => {
  const path = fileOf(t, Buffer.alloc(64 << 20))
  const vanished = await single(t)
  const lost = sendFile(vanished.conn, path)
  vanished.socket.resetAndDestroy()
  await t.throwsAsync(lost)
  const aborted = await single(t)
  const controller = new AbortController()
  const sending = sendFile(aborted.conn, path, { signal: controller.signal })
  aborted.conn.drained().catch(() => {})
  aborted.socket
    .on('error', () => {})
    .once('data', () => {
      aborted.socket.pause()
      controller.abort(new Error('enough'))
    })
  await t.throwsAsync(sending, { message: 'enough' })
  await aborted.closed
  aborted.socket.destroy()
})

test('what waits for a file is bounded, and drain is told of what was written before', async (t) => {
  const MIB = 1 << 20
  const drained = gate()
  const opened = gate<Conn>()
  const server = await start(t, { ...HALF, open: opened.open, drain: () => drained.open() })
  const socket = await connectHalfOpen(server.port)
  const conn = await opened.passed
  while (conn.write(Buffer.alloc(MIB)));
  const before = conn.buffered
  let most = 0
  const path = fileOf(t, Buffer.alloc(32 * MIB))
  const sending = sendFile(conn, path)
  const looks = setInterval(() => {
    most = Math.max(most, conn.buffered)
  })
  t.teardown(() => clearInterval(looks))
  socket.resume()
  await sending
  clearInterval(looks)
  t.true(most > 0 && most <= before + 3 * MIB, `${most} bytes waited`)
  await drained.passed
  conn.end()
  socket.end()
})

test('a connection whose peer has ended stays until the file is sent', async (t) => {
  const body = Buffer.alloc(4 << 20, 'x')
  const path = fileOf(t, body)
  const server = await start(t, {
    message(conn) {
      // Not awaited: the connection knows by itself.
      void sendFile(conn, path)
    },
  })
  const socket = await connect(server.port, HALF)
  socket.end('send it')
  t.true((await readHalf(socket)).equals(body))
})

test('a signal that aborts before the first byte leaves the connection as it is', async (t) => {
  const { conn, socket } = await single(t)
  const controller = new AbortController()
  const sending = sendFile(conn, fileOf(t, Buffer.alloc(100_000)), { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(sending, { message: 'enough' })
  conn.end('as it was')
  t.is(String(await readHalf(socket)), 'as it was')
  socket.end()
})

test('end and close wait for the file, and destroy resets in the middle of one', async (t) => {
  const body = Buffer.alloc(8 << 20, 'x')
  const path = fileOf(t, body)
  for (const how of ['end', 'close'] as const) {
    const { conn, socket } = await single(t)
    const sending = sendFile(conn, path)
    conn[how]()
    const [sent, received] = await Promise.all([sending, readHalf(socket)])
    t.is(sent, body.length)
    t.true(received.equals(body), how)
    socket.end()
  }
  const opened = gate<Conn>()
  const server = await start(t, { open: opened.open })
  // Node's sockets may take a reset behind bytes for an end.
  const lost = gate<string | undefined>()
  const arrived = gate()
  await dial(t, {
    to: server.port,
    message: () => arrived.open(),
    close: (_conn, error) => lost.open(codeOf(error)),
  })
  const conn = await opened.passed
  const sending = sendFile(conn, path)
  void arrived.passed.then(() => conn.destroy(new Error('mine')))
  await t.throwsAsync(sending, { message: 'mine' })
  t.is(await lost.passed, 'ECONNRESET')
})

unix('a FIFO without a writer is refused, and blocks nothing', async (t) => {
  const { conn, socket } = await single(t)
  const path = `${fileOf(t, '')}.fifo`
  execFileSync('mkfifo', [path])
  for (let call = 0; call < 8; call++)
    await t.throwsAsync(sendFile(conn, path), { code: 'ERR_NOT_A_FILE' })
  conn.end('as it was')
  t.is(String(await readHalf(socket)), 'as it was')
  socket.end()
})

for (const kind of KINDS) {
  for (const [what, file, code] of [
    ['does not exist', () => join(tmpdir(), 'millrace-no-such-file'), 'ENOENT'],
    ['is a directory', () => tmpdir(), 'ERR_NOT_A_FILE'],
    ['is too short', (t: ExecutionContext) => fileOf(t, 'abc'), 'ERR_FILE_TOO_SHORT'],
  ] as const) {
    test(`a file that ${what}, sent inside encode, leaves the connection as it was, ${kind}`, async (t) => {
      let sending: Promise<unknown> | undefined
      const path = file(t)
      const { conn, socket } = await single(t, {
        listen: listenOn(t, kind),
        codec: {
          ...raw(),
          encode(message, to) {
            to.text(String(message))
            sending ??= sendFile(conn, path, { start: 10 }).catch(codeOf)
          },
        },
      })
      conn.write('before')
      t.is(await sending, code)
      conn.end(', after')
      t.is(String(await readHalf(socket)), 'before, after')
      socket.end()
    })
  }

  test(`a file that fails behind its first piece resets, if it was sent inside encode, ${kind}`, async (t) => {
    const path = fileOf(t, Buffer.alloc(64 << 20))
    let sending: Promise<unknown> | undefined
    const { conn, socket, closed } = await single(t, {
      listen: listenOn(t, kind),
      codec: {
        ...raw(),
        encode(message, to) {
          to.text(String(message))
          sending ??= sendFile(conn, path)
        },
      },
    })
    conn.write('before')
    while (conn.bytesWritten <= 6) await turns(1)
    truncateSync(path, 1000)
    await t.throwsAsync(async () => sending, { code: 'ERR_FILE_CHANGED' })
    t.is(await closed, 'ERR_FILE_CHANGED')
    socket.destroy()
  })
}
