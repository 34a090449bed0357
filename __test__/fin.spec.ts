import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Codec, Conn } from 'millrace'
import { closed, readAll } from './support/client.js'
import { bodyOf, FRAMINGS, type FramingCase } from './support/framings.js'
import { tally } from './support/gate.js'
import { start } from './support/serve.js'

const CONNECTIONS = 200
const SIZES = [5, 0, 300, 2000]

type Bytes = Uint8Array | string
type ByteConn = Conn<Buffer, Bytes, undefined>
type Options = Parameters<typeof start<Buffer, Bytes>>[1]

/** A way to answer, and a step to run once everything is sent. */
interface Way {
  readonly options: Options
  sentAll?(): void
}

/** Ways to answer messages that came together with FIN. */
const WAYS: Record<string, () => Way> = {
  'at once': () => ({
    options: {
      message(conn, body) {
        conn.write(body)
      },
    },
  }),
  'after it was paused and resumed': () => {
    const paused: ByteConn[] = []
    return {
      options: {
        open(conn) {
          conn.pause()
          paused.push(conn)
        },
        message(conn, body) {
          conn.write(body)
        },
      },
      sentAll() {
        for (const conn of paused) conn.resume()
      },
    }
  },
  'from a handler that awaits': () => ({
    options: {
      async message(conn, body) {
        await new Promise(setImmediate)
        conn.write(body)
      },
    },
  }),
  'by pulling in open': () => ({
    options: {
      async open(conn) {
        for await (const body of conn) conn.write(body)
      },
    },
  }),
  'by pulling, without open waiting for it': () => ({
    options: {
      open(conn) {
        const pull = async () => {
          for await (const body of conn) {
            await new Promise(setImmediate)
            conn.write(body)
          }
        }
        void pull()
      },
    },
  }),
}

async function echoesUpToFin(t: ExecutionContext, framing: FramingCase, way: Way): Promise<void> {
  const opened = tally(CONNECTIONS)
  const ended = tally<Error | undefined>(CONNECTIONS)
  const server = await start<Buffer, Bytes>(t, {
    ...way.options,
    codec: framing.codec(4096) as Codec<Buffer, Bytes>,
    open(conn) {
      opened.hit()
      return way.options.open?.(conn)
    },
    close(_, error) {
      ended.hit(error)
    },
  })
  const finished = tally(CONNECTIONS)
  const replies = Array.from({ length: CONNECTIONS }, async (_, client) => {
    const bodies = SIZES.map((size, at) =>
      bodyOf(framing.size ?? Math.min(size, framing.most), client * 31 + at),
    )
    const stream = Buffer.concat(bodies.map(framing.wire))
    // The messages and the FIN are queued before the connection exists, so they leave together.
    const socket = net.connect({ host: '127.0.0.1', port: server.port })
    socket.on('finish', () => finished.hit())
    socket.end(stream)
    const reply = await readAll(socket)
    await closed(socket)
    return reply.equals(stream)
  })
  await Promise.all([opened.all, finished.all])
  way.sentAll?.()
  t.deepEqual(new Set(await Promise.all(replies)), new Set([true]))
  t.deepEqual(new Set(await ended.all), new Set([undefined]))
  t.is(server.connections, 0)
}

for (const [name, way] of Object.entries(WAYS)) {
  for (const framing of FRAMINGS) {
    test.serial(`${framing.name}: messages that come together with FIN are answered ${name}`, (t) =>
      echoesUpToFin(t, framing, way()),
    )
  }
}
