/** What switches cost when a peer has sent much ahead: what was cut too early comes back each time, and is cut again. */

import test from 'ava'
import { type Codec, type Conn, raw } from 'millrace'
import { connectTo, readHalf } from './support/client.js'
import { bodyOf, FRAMINGS } from './support/framings.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { ANY, ONE, start } from './support/serve.js'

type Bytes = Codec<Buffer, Uint8Array | string>

const ROUNDS = 500
const SIZE = 20

const NAMES = [
  'line',
  'fixed',
  'lengthField of 2 bytes, little-endian',
  'varint behind a byte, not stripped',
]
const WAYS = FRAMINGS.filter(({ name }) => NAMES.includes(name))

for (const isPulled of [false, true]) {
  for (const kind of KINDS) {
    for (const [at, first] of WAYS.entries()) {
      const second = WAYS[(at + 1) % WAYS.length] ?? first
      test.serial(
        `${first.name} and ${second.name} in turns cost a few records each, however much was sent ahead: ${kind}, ${isPulled ? 'pulled' : 'pushed'}`,
        async (t) => {
          const ways = [first, second]
          const codecs = ways.map((way): Bytes => ({ ...way.codec(1000), switchable: true }))
          const stream = Buffer.concat(
            Array.from({ length: 2 * ROUNDS }, (_, i) => {
              const way = i % 2 === 0 ? first : second
              return way.wire(bodyOf(way.size ?? SIZE, i))
            }),
          )
          let count = 0
          const take = (conn: Conn<Buffer, Uint8Array | string>) => {
            conn.codec = codecs[++count % 2] ?? raw()
          }
          const server = await start(t, {
            listen: kind === 'tcp' ? ANY : { path: freePath(t) },
            codec: codecs[0] ?? raw(),
            loops: ONE,
            ...(isPulled
              ? {
                  async open(conn) {
                    for await (const _ of conn) take(conn)
                  },
                }
              : { message: take }),
          })
          const socket = await connectTo(server.addresses[0])
          socket.end(stream)
          await readHalf(socket)
          t.is(count, 2 * ROUNDS)
          const [stats] = server.stats().loops
          const records = (stats?.recordsIn ?? 0) + (stats?.recordsOut ?? 0)
          t.true(records < 20 * count, `${records / count} records for each message`)
        },
      )
    }
  }
}
