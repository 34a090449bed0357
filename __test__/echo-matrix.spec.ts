/** gnet's T1 to T3: every transport, every kind of loops, every way to answer. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { type Balance, bind, type Conn, type DatagramHandlers, type Handlers } from 'millrace'
import { Count } from './support/counts.js'
import { sendInCuts } from './support/cuts.js'
import { bodyOf } from './support/framings.js'
import { freePath } from './support/paths.js'
import { random, SEED } from './support/random.js'
import { RING_BYTES, start } from './support/serve.js'
import { CAN_SHARE } from './support/system.js'
import { turns } from './support/turns.js'

const CLIENTS = 10
/** Bytes that each client sends. */
const LENGTH = 1 << 20
/** The bytes that `open` writes. */
const GREETING = Buffer.from('before everything else')

/** Where a server listens, and where its clients connect. */
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

const LOOPS: readonly { loops: number | 'inline'; balance: Balance | 'the kernel' }[] = [
  { loops: 1, balance: 'round-robin' },
  { loops: 4, balance: 'round-robin' },
  { loops: 4, balance: 'least-connections' },
  { loops: 4, balance: 'source-hash' },
  // `reusePort`: a socket for each loop.
  ...(CAN_SHARE ? [{ loops: 4, balance: 'the kernel' } as const] : []),
  ...(process.platform === 'win32' ? [] : [{ loops: 'inline', balance: 'round-robin' } as const]),
]

type Data = { greeted: boolean; chunks: number }
type Style = Pick<Handlers<Buffer, Uint8Array | string, Data>, 'open' | 'message'>

/** Ways to answer a chunk. */
const STYLES: Record<string, Style> = {
  'in the handler': { message: (conn, chunk) => void conn.write(chunk) },
  'later, in order': {
    // The chunk must belong to the handler: otherwise its bytes could have changed by then.
    async message(conn, chunk) {
      await turns(1)
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
    const isShared = balance === 'the kernel'
    // A path can only have one socket.
    if (isShared && transport === 'unix') continue
    for (const [style, { open, message }] of Object.entries(STYLES)) {
      test.serial(
        `T1–T3: ${transport}, loops: ${loops}, ${balance}, answered ${style}: every byte comes back`,
        async (t) => {
          const { listen, to } = place(t)
          const opened = new Set<Conn<Buffer, Uint8Array | string, Data>>()
          const closed = new Count()
          const server = await start<Buffer, Uint8Array | string, Data>(t, {
            listen: isShared ? { address: listen, reusePort: true } : listen,
            loops,
            ...(isShared ? {} : { balance }),
            context: () => ({ greeted: false, chunks: 0 }),
            open(conn) {
              opened.add(conn)
              conn.write(GREETING)
              conn.context.greeted = true
              return open?.(conn)
            },
            ...(message === undefined
              ? {}
              : {
                  message(conn, chunk) {
                    conn.context.chunks++
                    return message(conn, chunk)
                  },
                }),
            close(conn, error) {
              t.is(error, undefined)
              t.true(conn.context.greeted)
              t.is(conn.context.chunks > 0, message !== undefined)
              t.true(opened.delete(conn), 'close came for a connection that was not open')
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

/** The largest datagram: one that fits the smallest rings of the specs. */
const DATAGRAM = 976
const DATAGRAMS = 50

/** Ways to answer a datagram. */
const DATAGRAM_STYLES: Record<string, Pick<DatagramHandlers<Buffer, Uint8Array>, 'message'>> = {
  'in the handler': { message: (socket, message, info) => void socket.send(message, info) },
  'later, in order': {
    async message(socket, message, info) {
      await turns(1)
      socket.send(message, info)
    },
  },
  'by pulling': {},
}

for (const { loops, balance } of LOOPS) {
  // Datagrams have no balancer: there is one socket, or the kernel distributes them to one for each loop.
  if (balance !== 'round-robin' && balance !== 'the kernel') continue
  if (loops === 4 && balance === 'round-robin') continue
  for (const [style, { message }] of Object.entries(DATAGRAM_STYLES)) {
    test.serial(
      `T1–T3: udp, loops: ${loops}, ${balance}, answered ${style}: every datagram comes back`,
      async (t) => {
        const socket = await bind<Buffer, Uint8Array>({
          address: 'udp://127.0.0.1:0',
          loops,
          ringBytes: RING_BYTES,
          max: DATAGRAM,
          error: (error) => t.fail(error.message),
          ...(message === undefined ? {} : { message }),
        })
        t.teardown(() => socket.close())
        const pulling = async () => {
          for await (const { message, info } of socket) socket.send(message, info)
        }
        const pulled = message === undefined ? pulling() : undefined
        const port = Number(socket.address.split(':').pop())
        await Promise.all(
          Array.from({ length: CLIENTS }, async (_, client) => {
            const draw = random(client)
            const peer = createSocket('udp4')
            peer.connect(port, '127.0.0.1')
            await once(peer, 'connect')
            for (let at = 0; at < DATAGRAMS; at++) {
              const sent = bodyOf(draw.whole(0, DATAGRAM), draw.whole(0, 1e6))
              const reply = once(peer, 'message')
              peer.send(sent)
              const [back] = (await reply) as [Buffer]
              t.true(back.equals(sent), `client ${client}, datagram ${at}, seed ${SEED}`)
            }
            peer.close()
          }),
        )
        t.is(socket.stats().received, CLIENTS * DATAGRAMS)
        await socket.close()
        await pulled
      },
    )
  }
}
