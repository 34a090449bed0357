/** A switch to another framing while output waits. */

import test from 'ava'
import { fixed, raw } from 'millrace'
import { connect, read } from './support/client.js'
import type { Bytes } from './support/framings.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

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
