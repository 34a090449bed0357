/** `linger: 0` and limits in time: what is dropped is dropped with a reset. */

import test from 'ava'
import { line } from 'millrace'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

for (const [limit, code, begins] of [
  ['idle', 'ERR_IDLE_TIMEOUT', ''],
  ['receive', 'ERR_RECEIVE_TIMEOUT', ''],
  ['firstMessage', 'ERR_FIRST_MESSAGE_TIMEOUT', ''],
  ['frame', 'ERR_FRAME_TIMEOUT', 'no end of a line'],
  ['write', 'ERR_WRITE_TIMEOUT', ''],
] as const) {
  for (const resets of [true, false]) {
    test(`the limit ${limit} ${resets ? 'resets with linger: 0' : 'ends with a FIN'}`, async (t) => {
      const closed = gate<string | undefined>()
      const server = await start<Buffer, string>(t, {
        codec: line({ max: 64 << 20 }),
        ...(resets ? { linger: 0 } : {}),
        autoPause: false,
        timeouts: { [limit]: 50 },
        maxWriteBuffer: 64 << 20,
        open(conn) {
          if (limit === 'write') conn.write('x'.repeat(32 << 20))
        },
        message() {},
        close: (_conn, error) => closed.open(codeOf(error)),
      })
      const lost = gate<string | undefined>()
      const peer = await dial<Buffer, string>(t, {
        to: server.port,
        open(conn) {
          if (begins !== '') conn.write(begins)
          conn.pause()
        },
        message() {},
        close: (_conn, error) => lost.open(codeOf(error)),
      })
      t.is(await closed.passed, code)
      peer.resume()
      t.is(await lost.passed, resets ? 'ECONNRESET' : undefined)
    })
  }
}

for (const isSent of [false, true]) {
  for (const resets of [true, false]) {
    const how = resets && !isSent ? 'resets' : 'ends with a FIN'
    test(`lingerTimeout ${resets ? 'with' : 'without'} linger: 0 ${how} if ${isSent ? 'all' : 'not all'} is sent`, async (t) => {
      const closed = gate<string | undefined>()
      const server = await start<Buffer, string>(t, {
        codec: line({ max: 64 << 20 }),
        ...(resets ? { linger: 0 } : {}),
        lingerTimeout: 100,
        maxWriteBuffer: 64 << 20,
        open: (conn) => conn.close('x'.repeat(isSent ? 10 : 32 << 20)),
        message() {},
        close: (_conn, error) => closed.open(codeOf(error)),
      })
      const lost = gate<string | undefined>()
      const peer = await dial<Buffer, string>(t, {
        to: server.port,
        allowHalfOpen: true,
        codec: line({ max: 64 << 20 }),
        open: (conn) => conn.pause(),
        message() {},
        end: (conn) => conn.end(),
        close: (_conn, error) => lost.open(codeOf(error)),
      })
      t.is(await closed.passed, 'ERR_LINGER_TIMEOUT')
      peer.resume()
      const cut = resets ? 'ECONNRESET' : 'ERR_FRAME_INCOMPLETE'
      t.is(await lost.passed, isSent ? undefined : cut)
    })
  }
}
