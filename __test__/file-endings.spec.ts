/** What ends while a file is sent, or because one was: closing, handlers, limits in time, the context of handlers. */

import { AsyncLocalStorage } from 'node:async_hooks'
import test, { type ExecutionContext } from 'ava'
import { type Conn, type ServeOptions, sendFile } from 'millrace'
import { connect, readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { fileOf } from './support/file.js'
import { codeOf, gate } from './support/gate.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20
const BODY = Buffer.alloc(24 * MIB, 'x')

/** A connection of a server, and a peer made with millrace that does not read, and hears of resets. */
async function stalled(
  t: ExecutionContext,
  options: Partial<ServeOptions<Buffer, Uint8Array | string, undefined>> = {},
) {
  const opened = gate<Conn>()
  const closed = gate<string | undefined>()
  const server = await start(t, {
    ...HALF,
    message() {},
    ...options,
    open: opened.open,
    close: (_conn, error) => closed.open(codeOf(error)),
  })
  const lost = gate<string | undefined>()
  const peer = await dial(t, {
    to: server.port,
    ...HALF,
    open: (conn) => conn.pause(),
    message() {},
    end: (conn) => conn.end(),
    close: (_conn, error) => lost.open(codeOf(error)),
  })
  return { conn: await opened.passed, closed: closed.passed, peer, lost: lost.passed }
}

test('after close() during a file nothing is delivered, and the peer gets all of the file', async (t) => {
  const path = fileOf(t, BODY)
  const heard: string[] = []
  const closed = gate<string | undefined>()
  const states: string[] = []
  let drained: Promise<unknown> | undefined
  const server = await start(t, {
    ...HALF,
    message(conn, bytes) {
      heard.push(...String(bytes))
      void sendFile(conn, path)
      conn.close()
      states.push(conn.readyState, String(conn.write('no')))
      drained = conn.drained().catch(codeOf)
    },
    end: () => void heard.push('end'),
    close: (_conn, error) => closed.open(codeOf(error)),
  })
  const socket = await connect(server.port, HALF)
  socket.write('G')
  // What comes while the file is sent, and the FIN, are dropped.
  const got = readHalf(socket)
  while (heard.length === 0) await turns(1)
  socket.end('XYZ')
  t.is((await got).length, BODY.length)
  t.is(await closed.passed, undefined)
  t.deepEqual(heard, ['G'])
  t.deepEqual(states, ['closing', 'false'])
  t.is(await drained, 'ERR_CLOSED')
})

test('a message behind the one that closes during a file is not delivered, even if it has come', async (t) => {
  const path = fileOf(t, BODY)
  const heard: string[] = []
  const server = await start<string>(t, {
    codec: {
      framing: { kind: 'raw', max: 100 },
      decode: (from) => (from.remaining > 0 ? from.text(1) : undefined),
      encode: (text, to) => void to.text(String(text)),
    },
    message(conn, text) {
      heard.push(text)
      void sendFile(conn, path)
      conn.close()
    },
  })
  const socket = await connect(server.port, HALF)
  socket.write('GX')
  t.is((await readHalf(socket)).length, BODY.length)
  t.deepEqual(heard, ['G'])
  socket.end()
})

test('the limit handler resets in the middle of a file, and each file has a time of its own', async (t) => {
  const { conn, closed, peer, lost } = await stalled(t, { timeouts: { handler: 100 } })
  peer.end()
  while (conn.readyState !== 'writeOnly') await turns(1)
  // The first one ends in its time, and is no excuse for the second.
  t.is(await sendFile(conn, fileOf(t, 'small')), 5)
  const sending = sendFile(conn, fileOf(t, BODY))
  await t.throwsAsync(sending, { code: 'ERR_HANDLER_TIMEOUT' })
  t.is(await closed, 'ERR_HANDLER_TIMEOUT')
  peer.resume()
  t.is(await lost, 'ECONNRESET')
})

test('a promise that comes after the end of the input has the time of handler from its own beginning', async (t) => {
  const [first, second] = [gate(), gate()]
  const closed = gate<string | undefined>()
  const opened = gate<Conn>()
  let calls = 0
  const server = await start(t, {
    ...HALF,
    timeouts: { handler: 200, idle: 40 },
    open: opened.open,
    message: () => {},
    end: () => first.passed,
    idle(conn) {
      // In the time of the first one.
      if (++calls > 1) return undefined
      conn.setTimeouts({ idle: 0 })
      first.open()
      return second.passed
    },
    close: (_conn, error) => closed.open(codeOf(error)),
  })
  const socket = await connect(server.port, HALF)
  socket.end()
  t.is(await closed.passed, 'ERR_HANDLER_TIMEOUT')
  t.is(calls, 1)
  second.open()
  socket.destroy()
})

test('a file that could not be opened leaves what was written before to arrive after destroy()', async (t) => {
  const { conn, peer, lost } = await stalled(t)
  conn.write(Buffer.alloc(16 * MIB))
  await t.throwsAsync(sendFile(conn, `${fileOf(t, '')}.not`), { code: 'ENOENT' })
  conn.destroy()
  peer.resume()
  t.is(await lost, undefined)
})

test('drain after a file runs in the context of the server, and only if write had returned false', async (t) => {
  const store = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const path = fileOf(t, BODY)
  const { conn, peer } = await store.run('server', () =>
    stalled(t, { drain: () => void seen.push(store.getStore()) }),
  )
  peer.resume()
  t.is(await store.run('caller', () => sendFile(conn, path)), BODY.length)
  t.deepEqual(seen, [])
  peer.pause()
  while (conn.write(Buffer.alloc(MIB)));
  peer.resume()
  t.is(await store.run('caller', () => sendFile(conn, path)), BODY.length)
  t.deepEqual(seen, ['server'])
})
