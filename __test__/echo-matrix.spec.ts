/** gnet's T1 to T3: every transport, every way to have loops, every way to answer. */

import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Balance, Conn, Handlers } from 'millrace'
import { Count } from './support/counts.js'
import { sendInCuts } from './support/cuts.js'
import { bodyOf } from './support/framings.js'
import { freePath } from './support/paths.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'

const CLIENTS = 10
/** Bytes that each client sends. */
const LENGTH = 1 << 20
/** What `open` writes. */
const GREETING = Buffer.from('before everything else')

/** Where a server listens, and where its clients find it. */
const TRANSPORTS: Record<
  string,
  (t: ExecutionContext) => { listen: string; to: (port: number) => number | string }
> = {
  tcp: () => ({ listen: 'tcp://127.0.0.1:0', to: (port) => port }),
}
if (process.platform !== 'win32') {
  TRANSPORTS.unix = (t) => {
    const path = freePath(t)
    return { listen: `unix://${path}`, to: () => path }
  }
}

const LOOPS: readonly { loops: number | 'inline'; balance: Balance }[] = [
  { loops: 1, balance: 'round-robin' },
  { loops: 4, balance: 'round-robin' },
  { loops: 4, balance: 'least-connections' },
  { loops: 4, balance: 'source-hash' },
  ...(process.platform === 'win32' ? [] : [{ loops: 'inline', balance: 'round-robin' } as const]),
]

type Data = { greeted: boolean; chunks: number }
type Style = Pick<Handlers<Buffer, Uint8Array | string, Data>, 'open' | 'message'>

/** How the chunks that come in are answered. */
const STYLES: Record<string, Style> = {
  'in the handler': { message: (conn, chunk) => void conn.write(chunk) },
  'later, in order': {
    // What the chunk is in may be changed by then, if it were not the handler's own.
    async message(conn, chunk) {
      await setImmediate()
      conn.write(chunk)
    },
  },
  'in several writes': {
    message(conn, chunk) {
      const third = Math.ceil(chunk.length / 3)
      for (let at = 0; at < chunk.length; at += third) conn.write(chunk.subarray(at, at + third))
    },
  },
  'by pulling': {
    async open(conn) {
      for await (const chunk of conn) if (!conn.write(chunk)) await conn.drained()
    },
  },
}

for (const [transport, place] of Object.entries(TRANSPORTS)) {
  for (const { loops, balance } of LOOPS) {
    for (const [style, { open, message }] of Object.entries(STYLES)) {
      test.serial(
        `T1–T3: ${transport}, loops: ${loops}, ${balance}, answered ${style}: every byte comes back`,
        async (t) => {
          const { listen, to } = place(t)
          const opened = new Set<Conn<Buffer, Uint8Array | string, Data>>()
          const closed = new Count()
          const server = await start<Buffer, Uint8Array | string, Data>(t, {
            listen,
            loops,
            balance,
            data: () => ({ greeted: false, chunks: 0 }),
            open(conn) {
              opened.add(conn)
              conn.write(GREETING)
              conn.data.greeted = true
              return open?.(conn)
            },
            ...(message === undefined
              ? {}
              : {
                  message(conn, chunk) {
                    conn.data.chunks++
                    return message(conn, chunk)
                  },
                }),
            close(conn, error) {
              t.is(error, undefined)
              t.true(conn.data.greeted)
              t.is(conn.data.chunks > 0, message !== undefined)
              t.true(opened.delete(conn), 'a close of what is not open')
              closed.up()
            },
          })
          await Promise.all(
            Array.from({ length: CLIENTS }, async (_, client) => {
              const draw = random(client)
              const stream = bodyOf(LENGTH, draw.whole(0, 1e6))
              const expected = Buffer.concat([GREETING, stream])
              const back = await sendInCuts(to(server.port), stream, expected, draw)
              t.deepEqual(back, { wrongAt: -1, length: expected.length }, `seed ${SEED}`)
            }),
          )
          await closed.reaches(CLIENTS)
          t.is(server.connections, 0)
          t.is(opened.size, 0)
        },
      )
    }
  }
}
