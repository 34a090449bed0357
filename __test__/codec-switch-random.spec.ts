/** A connection that changes its codec behind every message, between framings chosen at random. */

import test from 'ava'
import { type Codec, type Conn, raw } from 'millrace'
import { connect, readHalf } from './support/client.js'
import { bodyOf, FRAMINGS, type FramingCase } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'

type Bytes = Codec<Buffer, Uint8Array | string>

const ROUNDS = 60
const RAW_SIZE = 700

/** How the server changes its codec. */
const MANNERS = ['at once', 'in a later turn', 'paused'] as const

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

for (const isPulled of [false, true]) {
  for (const manner of MANNERS) {
    const how = `${isPulled ? 'pulled' : 'pushed'}, ${manner}`

    test.serial(`nothing is lost or comes twice behind any switches: ${how}`, async (t) => {
      const { one: choose } = random(MANNERS.indexOf(manner))
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
          // A pushed connection would deliver the next message meanwhile.
          const mayWait = isPulled || manner === 'paused'
          if (manner !== 'at once' && mayWait) await new Promise(setImmediate)
          conn.codec = next
          if (manner === 'paused') setImmediate(() => conn.resume())
        }
        const server = await start<Buffer, Uint8Array | string>(t, {
          codec: codecs[0] as Bytes,
          ...(isPulled
            ? {
                async open(conn) {
                  for await (const message of conn) await take(conn, message)
                },
              }
            : { message: take }),
          close: (_conn, error) => ended.open(codeOf(error)),
        })
        const socket = await connect(server.port, { noDelay: true, allowHalfOpen: true })
        const reply = readHalf(socket)
        const size = choose([stream.length, 1000, 37])
        for (let at = 0; at < stream.length; at += size) {
          const piece = stream.subarray(at, at + size)
          await new Promise((resolve) => socket.write(piece, resolve))
        }
        socket.end()
        const names = `seed ${SEED}: ${ways.map(({ name }) => name).join(' > ')}, ${size} bytes a write`
        t.true((await reply).equals(stream), names)
        t.is(await ended.passed, undefined, names)
        t.is(count, ways.length, names)
        socket.destroy()
        await server.close()
      }
    })
  }
}
