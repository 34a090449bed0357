/** Limits in time while a file is sent to a peer that does not read. */

import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { type Conn, type ServeOptions, sendFile } from 'millrace'
import { dial, path } from './support/dial.js'
import { fileOf } from './support/file.js'
import { codeOf, gate } from './support/gate.js'
import { ANY, start } from './support/serve.js'
import { IS_WINDOWS } from './support/system.js'
import { turns } from './support/turns.js'

/** More than the buffers of both kernels' sides take. */
const BODY = randomBytes(16 << 20)

/** A connection that is accepted with these options, and a peer that reads nothing. */
async function stalled(
  t: ExecutionContext,
  listen: string,
  options: Partial<ServeOptions<Buffer, string | Uint8Array>>,
) {
  const opened = gate<Conn<Buffer, string | Uint8Array>>()
  const closed = gate<string | undefined>()
  const server = await start<Buffer, string | Uint8Array>(t, {
    listen,
    autoPause: false,
    ...options,
    open: opened.open,
    message() {},
    close: (_conn, error) => closed.open(codeOf(error)),
  })
  const lost = gate<string | undefined>()
  let received = 0
  const peer = await dial(t, {
    to: server.addresses[0] as string,
    open: (conn) => conn.pause(),
    message(_conn, bytes) {
      received += bytes.length
    },
    close: (_conn, error) => lost.open(codeOf(error)),
  })
  /** What the peer gets, once it reads. */
  const seen = async () => {
    peer.resume()
    return { error: await lost.passed, isCut: received < BODY.length }
  }
  return { conn: await opened.passed, closed: closed.passed, peer, seen, received: () => received }
}

for (const [kind, listen] of [
  ['TCP', () => ANY],
  ...(IS_WINDOWS ? [] : ([['Unix', () => `unix:${path()}`]] as const)),
] as const) {
  for (const [limit, code] of [
    ['write', 'ERR_WRITE_TIMEOUT'],
    ['idle', 'ERR_IDLE_TIMEOUT'],
    ['receive', 'ERR_RECEIVE_TIMEOUT'],
  ] as const) {
    for (const isWritten of [false, true]) {
      const when = isWritten ? 'behind' : 'in the middle of'
      test(`the limit ${limit} ${when} a file that is not sent resets the connection (${kind})`, async (t) => {
        const marks = { highWaterMark: 32 << 20, maxWriteBuffer: 64 << 20 }
        const { conn, closed, seen } = await stalled(t, listen(), isWritten ? marks : {})
        const sending = sendFile(conn, fileOf(t, BODY))
        // All of it is written then, and waits in the loop.
        if (isWritten) await sending
        // Before its first byte there is nothing that the peer could take for all.
        while (conn.bytesWritten === 0) await turns(1)
        conn.setTimeouts({ [limit]: 50 })
        if (!isWritten) await t.throwsAsync(sending, { code })
        t.is(await closed, code)
        const { error } = await seen()
        // Over a Unix socket there is no reset.
        if (kind === 'TCP') t.is(error, 'ECONNRESET')
      })
    }
  }

  test(`close() in the middle of a file that nobody reads ends with ERR_LINGER_TIMEOUT (${kind})`, async (t) => {
    for (const isAtOnce of [true, false]) {
      const { conn, closed, seen } = await stalled(t, listen(), { lingerTimeout: 100 })
      const sending = sendFile(conn, fileOf(t, BODY))
      if (!isAtOnce) while (conn.buffered === 0) await turns(1)
      conn.close()
      conn.close()
      await t.throwsAsync(sending, { code: 'ERR_LINGER_TIMEOUT' })
      t.is(await closed, 'ERR_LINGER_TIMEOUT')
      if (kind !== 'TCP') continue
      const { error, isCut } = await seen()
      t.true(isCut)
      // The time of a `close` at once may end before the first byte, when there is nothing to reset.
      if (!isAtOnce) t.is(error, 'ECONNRESET')
    }
  })

  test(`close() lets a file arrive whole at a peer that reads late (${kind})`, async (t) => {
    const { conn, closed, peer, received } = await stalled(t, listen(), {})
    const sending = sendFile(conn, fileOf(t, BODY))
    conn.close()
    peer.resume()
    t.is(await sending, BODY.length)
    t.is(await closed, undefined)
    t.is(received(), BODY.length)
  })
}

test('a file that nobody reads ends with ERR_IDLE_TIMEOUT without asking the handler idle, which could not ping', async (t) => {
  let calls = 0
  const { conn, closed, seen } = await stalled(t, ANY, { idle: () => void calls++ })
  const sending = sendFile(conn, fileOf(t, BODY))
  while (conn.bytesWritten === 0) await turns(1)
  conn.setTimeouts({ idle: 50 })
  await t.throwsAsync(sending, { code: 'ERR_IDLE_TIMEOUT' })
  t.is(await closed, 'ERR_IDLE_TIMEOUT')
  t.is(calls, 0)
  t.deepEqual(await seen(), { error: 'ECONNRESET', isCut: true })
})

test('the handler idle is asked again once a file was sent', async (t) => {
  const asked = gate()
  const { conn, peer } = await stalled(t, ANY, { idle: () => asked.open() })
  const sending = sendFile(conn, fileOf(t, BODY))
  peer.resume()
  t.is(await sending, BODY.length)
  conn.setTimeouts({ idle: 20 })
  await asked.passed
  conn.destroy()
})
