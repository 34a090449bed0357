/** How much memory the rest of a raw stream takes. */

import test from 'ava'
import { type Codec, type Conn, raw } from 'millrace'
import type { ConnImpl } from '../lib/connection/conn-impl.js'
import { GrowingBuffer } from '../lib/util/growing-buffer.js'
import { connectTo, read } from './support/client.js'
import { gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

test('bytes that are consumed in steps are those that were appended, whatever memory they are in', (t) => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251))
  for (const step of [1000, 30_000, 99_999]) {
    const buffer = new GrowingBuffer()
    let at = 0
    for (let from = 0; from < bytes.length; from += 7000) {
      buffer.append(bytes, from, Math.min(bytes.length, from + 7000))
    }
    while (buffer.length > step) {
      t.true(buffer.memory.subarray(buffer.start, buffer.end).equals(bytes.subarray(at)))
      buffer.consume(buffer.start + step)
      at += step
    }
    buffer.append(bytes, 0, 10)
    const rest = Buffer.concat([bytes.subarray(at), bytes.subarray(0, 10)])
    t.true(buffer.memory.subarray(buffer.start, buffer.end).equals(rest))
  }
})

/** Messages behind their length in four bytes. */
const codec: Codec<number, string> = {
  ...raw({ max: 4 << 20 }),
  decode(from) {
    if (from.remaining < 4) return undefined
    const length = from.u32()
    if (from.remaining < length) return undefined
    from.skip(length)
    return length
  },
  encode(text, to) {
    to.text(text)
  },
}

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    for (const rest of [0, 3]) {
      test(`a connection that waits does not keep the memory of a large message before, with a rest of ${rest} bytes: ${kind}, ${isPulled ? 'pulled' : 'pushed'}`, async (t) => {
        const sizes: number[] = []
        const opened = gate<Conn<number, string>>()
        const take = (conn: Conn<number, string>, size: number) => {
          sizes.push(size)
          conn.write('.')
        }
        const server = await start<number, string>(t, {
          listen: listenOn(t, kind),
          codec,
          async open(conn) {
            opened.open(conn)
            if (isPulled) for await (const size of conn) take(conn, size)
          },
          ...(isPulled ? {} : { message: take }),
        })
        const socket = await connectTo(server.addresses[0])
        const conn = (await opened.passed) as unknown as ConnImpl
        for (const size of [2 << 20, 1000, 2 << 20]) {
          const header = Buffer.alloc(4)
          header.writeUInt32BE(size)
          // With the beginning of what follows, so that it is not looked at alone.
          const isLast = sizes.length === 2
          socket.write(Buffer.concat([header, Buffer.alloc(size + (isLast ? rest : 0))]))
          await read(socket, 1)
        }
        while (conn.bytesRead < (4 << 20) + 1000 + 12 + rest) await turns(1)
        t.true((conn.cold?.unread?.memory.length ?? 0) <= 16 * 1024)
        t.deepEqual(sizes, [2 << 20, 1000, 2 << 20])
        socket.destroy()
      })
    }
  }
}
