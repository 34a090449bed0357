/** What a peer had sent before its connection was lost: it is delivered, though reading had stopped. */

import type net from 'node:net'
import test from 'ava'
import { type Codec, type Conn, lengthField, line, raw } from 'millrace'
import type { ConnImpl } from '../lib/connection/conn-impl.js'
import { READING_STOPPED } from '../lib/connection/flags.js'
import { closed, connectTo } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

type Text = Codec<Buffer, Uint8Array | string>

/** Codecs, and a message of four bytes as it is on the wire. */
const CODECS: readonly [name: string, codec: Text, wire: string][] = [
  ['frames with a length', lengthField(), '\0\0\0\u0004more'],
  ['lines', line(), 'more\n'],
  ['a raw stream', raw(), 'more'],
]

const COUNT = 500

/** How a peer leaves. A Unix socket has no reset. */
const WAYS: Record<string, (socket: net.Socket) => void> = {
  'closes, and is written to': (socket) => socket.destroy(),
  'resets the connection': (socket) => socket.resetAndDestroy(),
}

for (const kind of KINDS) {
  for (const [name, codec, wire] of CODECS) {
    for (const [way, leave] of Object.entries(WAYS)) {
      if (kind === 'unix' && way === 'resets the connection') continue
      test(`a peer that ${way} after it has sent ${name} that nobody pulls is heard to the end, ${kind}`, async (t) => {
        const opened = gate<Conn>()
        const ended = gate<string | undefined>()
        const server = await start<Buffer>(t, {
          ...(kind === 'unix' ? { listen: { path: freePath(t) } } : {}),
          codec,
          maxParked: 1,
          open: opened.open,
          close: (_, error) => ended.open(codeOf(error)),
        })
        const socket = await connectTo(server.addresses[0])
        socket.resume()
        socket.write(wire)
        const conn = await opened.passed
        while (!((conn as ConnImpl).flags & READING_STOPPED)) await turns(1)
        // The loop knows that, too, once it has sent what was written behind it.
        conn.write('reply')
        await conn.flushed()
        while (socket.bytesRead < 5) await turns(1)
        await new Promise((taken) => socket.write(wire.repeat(COUNT), taken))
        leave(socket)
        await closed(socket)
        while (server.connections > 0) {
          conn.write('nobody reads this')
          await turns(1)
        }
        const code = await ended.passed
        t.true(['EPIPE', 'ECONNRESET'].includes(code ?? ''), code ?? 'no error')
        let received = 0
        const error = await t.throwsAsync(async () => {
          for await (const message of conn) received += message.length
        })
        t.is(codeOf(error), code)
        t.is(received, 4 * (COUNT + 1))
      })
    }
  }
}
