/** A switch to another framing while output waits. */

import test from 'ava'
import { fixed, line, raw } from 'millrace'
import { connect, connectTo, read } from './support/client.js'
import { gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { ANY, start } from './support/serve.js'
import { type Bytes, type BytesConn, chunks, packet, packets } from './support/switching.js'

const KIB = 1024
const fours: Bytes = { ...fixed(4), switchable: true }

for (const size of [100 * KIB, 1024 * KIB, 4 * 1024 * KIB]) {
  test(`a handler that writes ${size} bytes and switches gets what follows, whenever drain comes`, async (t) => {
    for (let round = 0; round < 10; round++) {
      const done = gate<string[]>()
      const texts: string[] = []
      const server = await start<Buffer, Uint8Array | string>(t, {
        codec: raw(),
        highWaterMark: 64 * KIB,
        message(conn, message) {
          texts.push(String(message))
          if (texts.length === 1) {
            conn.write(Buffer.alloc(size))
            conn.codec = fours
          } else if (texts.length === 3) done.open(texts)
        },
        drain() {},
      })
      const socket = await connect(server.port)
      socket.write('go')
      await read(socket, size)
      socket.write('abcdefgh')
      t.deepEqual(await done.passed, ['go', 'abcd', 'efgh'])
      socket.destroy()
      await server.close({ timeout: 0 })
    }
  })
}

const longLines: Bytes = { ...line(), switchable: true }
const BLOCK = Buffer.alloc(64 * KIB)

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    for (const isBehind of [false, true]) {
      const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}, ${isBehind ? 'sent before' : 'sent after'}`

      test(`a codec that the handler drain assigns takes what is not delivered yet: ${how}`, async (t) => {
        for (const [next, wanted] of [
          [packets, ['go', 'ab\ncd', 'ef']],
          [chunks, ['go', `${packet('ab\ncd')}${packet('ef')}`]],
        ] as const) {
          const length = wanted.join('').length
          const drained = gate()
          const full = gate<number>()
          const done = gate()
          const texts: string[] = []
          const take = (conn: BytesConn, message: Buffer) => {
            texts.push(String(message))
            if (texts.length === 1) {
              while (conn.write(BLOCK));
              full.open(conn.bytesWritten)
            } else if (texts.join('').length === length) done.open()
          }
          const server = await start<Buffer, Uint8Array | string>(t, {
            listen: kind === 'tcp' ? ANY : { path: freePath(t) },
            codec: longLines,
            maxWriteBuffer: 1 << 30,
            async open(conn) {
              if (!isPulled) return
              for await (const message of conn) {
                take(conn, message)
                // Asks for the next one once its codec is chosen.
                await drained.passed
              }
            },
            ...(isPulled ? {} : { message: take }),
            drain(conn) {
              conn.codec = next
              drained.open()
            },
          })
          const socket = await connectTo(server.addresses[0])
          const go = Buffer.from('go\n')
          const packed = Buffer.concat([packet('ab\ncd'), packet('ef')])
          socket.write(isBehind ? Buffer.concat([go, packed]) : go)
          let left = await full.passed
          socket.on('data', (chunk: Buffer) => {
            left -= chunk.length
          })
          await drained.passed
          if (!isBehind) socket.write(packed)
          await done.passed
          t.is(texts[0], 'go')
          t.is(texts.slice(1).join(''), wanted.slice(1).join(''))
          if (next === packets) t.deepEqual(texts, [...wanted])
          while (left > 0) await new Promise(setImmediate)
          t.is(left, 0)
          socket.destroy()
          await server.close({ timeout: 0 })
        }
      })
    }
  }
}
