import test from 'ava'
import type { Codec } from 'millrace'
import { sendInCuts } from './support/cuts.js'
import { bodyOf, FRAMINGS, type FramingCase } from './support/framings.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'

const KIB = 1024
const MIB = 1024 * KIB
const CONNECTIONS = 200
const MESSAGES = 10
const LARGE_CONNECTIONS = 8
const LARGEST = 8 * MIB
/** Lengths at which headers, rings and buffers change their behaviour. */
const EDGES = [0, 1, 127, 128, 255, 256, 1000, 4096, 16_383, 16_384, 65_535, 65_536]

/** The stream of one client: messages of edge lengths and of random lengths. */
function streamOf(framing: FramingCase, client: number): Buffer {
  const draw = random(client)
  return Buffer.concat(
    Array.from({ length: MESSAGES }, (_, at) => {
      const drawn = at % 4 === 3 ? draw.whole(0, 64 * KIB) : draw.one(EDGES)
      const size = framing.size ?? Math.min(drawn, framing.most)
      return framing.wire(bodyOf(size, client * 7919 + at * 104_729))
    }),
  )
}

for (const framing of FRAMINGS) {
  test.serial(
    `${framing.name}: ${CONNECTIONS} connections get back every byte in order`,
    async (t) => {
      const closes = new Map<number, number>()
      const server = await start<Buffer, Uint8Array | string>(t, {
        codec: framing.codec(64 * KIB) as Codec<Buffer, Uint8Array | string>,
        message(conn, body) {
          conn.write(body)
        },
        close(conn, error) {
          closes.set(conn.id, (closes.get(conn.id) ?? 0) + 1)
          if (error !== undefined) t.fail(`closed with ${error.message}, seed ${SEED}`)
        },
      })
      await Promise.all(
        Array.from({ length: CONNECTIONS }, async (_, client) => {
          const stream = streamOf(framing, client)
          const { wrongAt, length } = await sendInCuts(
            server.port,
            stream,
            stream,
            random(client + 1e6),
          )
          if (wrongAt !== -1 || length !== stream.length) {
            t.fail(
              `client ${client}: wrong at ${wrongAt}, ${length} of ${stream.length} bytes, seed ${SEED}`,
            )
          }
        }),
      )
      await server.close()
      t.is(closes.size, CONNECTIONS)
      t.true([...closes.values()].every((count) => count === 1))
    },
  )
}

for (const framing of FRAMINGS.filter(({ most }) => most >= LARGEST)) {
  test.serial(`${framing.name}: messages up to 8 MiB come back whole`, async (t) => {
    const server = await start<Buffer, Uint8Array | string>(t, {
      codec: framing.codec(LARGEST) as Codec<Buffer, Uint8Array | string>,
      highWaterMark: LARGEST,
      maxWriteBuffer: 4 * LARGEST,
      message(conn, body) {
        conn.write(body)
      },
    })
    await Promise.all(
      Array.from({ length: LARGE_CONNECTIONS }, async (_, client) => {
        const draw = random(client)
        const sizes = [
          client === 0 ? LARGEST : draw.whole(64 * KIB, LARGEST / 2),
          draw.whole(0, 64 * KIB),
        ]
        const stream = Buffer.concat(
          sizes.map((size, at) => framing.wire(bodyOf(size, client * 7919 + at))),
        )
        const { wrongAt, length } = await sendInCuts(
          server.port,
          stream,
          stream,
          random(client + 2e6),
        )
        t.is(wrongAt, -1, `client ${client}, seed ${SEED}`)
        t.is(length, stream.length, `client ${client}, seed ${SEED}`)
      }),
    )
  })
}
