/** A connection that changes its codec behind every message, between framings chosen at random. */

import test from 'ava'
import { type Conn, raw } from 'millrace'
import { connect, readHalf, sendPieces } from './support/client.js'
import { type Bytes, bodyOf, FRAMINGS, type FramingCase } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const ROUNDS = 60
const RAW_SIZE = 700

/** How the server changes its codec. A pushed connection would deliver the next message before a later turn. */
const MANNERS = {
  pushed: ['at once', 'paused'],
  pulled: ['at once', 'in a later turn', 'paused'],
} as const

function codecOf(way: FramingCase): Bytes {
  if (way.name !== 'raw') return { ...way.codec(5000), switchable: true }
  return {
    ...raw(),
    decode: (from) => (from.remaining < RAW_SIZE ? undefined : from.bytes(RAW_SIZE)),
  }
}

function wireOf(way: FramingCase, size: number, from: number): Buffer {
  if (way.name === 'raw') return bodyOf(RAW_SIZE, from)
  return way.wire(bodyOf(way.size ?? Math.min(way.most, size), from))
}

for (const way of ['pushed', 'pulled'] as const) {
  for (const [stream, manner] of MANNERS[way].entries()) {
    test.serial(
      `nothing is lost or comes twice behind any switches: ${way}, ${manner}`,
      async (t) => {
        const { one: choose } = random(stream)
        for (let round = 0; round < ROUNDS; round++) {
          const ways = Array.from({ length: 12 }, () => choose(FRAMINGS))
          const codecs = ways.map(codecOf)
          const parts = ways.map((way, at) =>
            wireOf(way, choose([0, 1, 7, 200, 1500, 4900]), at + round),
          )
          const stream = Buffer.concat(parts)
          let count = 0
          const ended = gate<string | undefined>()
          const take = async (conn: Conn<Buffer, Uint8Array | string>, message: Buffer) => {
            conn.write(message)
            const next = codecs[++count]
            if (next === undefined) return
            if (manner === 'paused') conn.pause()
            if (manner !== 'at once') await turns(1)
            conn.codec = next
            if (manner === 'paused') setImmediate(() => conn.resume())
          }
          const server = await start<Buffer, Uint8Array | string>(t, {
            codec: codecs[0] as Bytes,
            ...(way === 'pulled'
              ? {
                  async open(conn) {
                    for await (const message of conn) await take(conn, message)
                  },
                }
              : { message: take }),
            close: (_conn, error) => ended.open(codeOf(error)),
          })
          const socket = await connect(server.port, { allowHalfOpen: true })
          const reply = readHalf(socket)
          const size = choose([stream.length, 1000, 37])
          await sendPieces(socket, stream, size)
          socket.end()
          const names = `seed ${SEED}: ${ways.map(({ name }) => name).join(' > ')}, ${size} bytes a write`
          t.true((await reply).equals(stream), names)
          t.is(await ended.passed, undefined, names)
          t.is(count, ways.length, names)
          socket.destroy()
          await server.close()
        }
      },
    )
  }
}
