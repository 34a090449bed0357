/** What follows a PROXY header. */

import test from 'ava'
import { connect, readAll } from './support/client.js'
import { bodyOf, FRAMINGS } from './support/framings.js'
import { HEADERS, TRUSTING } from './support/proxy-headers.js'
import { start } from './support/serve.js'

for (const framing of FRAMINGS) {
  test(`messages of ${framing.name} behind a header are delivered, pushed and pulled`, async (t) => {
    for (const isPulled of [false, true]) {
      const server = await start(t, {
        proxyProtocol: TRUSTING,
        codec: framing.codec(4096),
        ...(isPulled
          ? {
              async open(conn) {
                for await (const message of conn) conn.write(message)
              },
            }
          : { message: (conn, message) => void conn.write(message) }),
      })
      const bodies = [0, 1, 2].map((from) => bodyOf(framing.size ?? 100, from * 1000))
      const wire = Buffer.concat(bodies.map((body) => framing.wire(body)))
      for (const { name, bytes } of HEADERS) {
        const socket = await connect(server.port)
        // All in one segment, with the end.
        socket.end(Buffer.concat([bytes, wire]))
        t.deepEqual(await readAll(socket), wire, name)
      }
      await server.close()
    }
  })
}

test('a flood that begins with a header is delivered whole', async (t) => {
  const server = await start(t, {
    proxyProtocol: TRUSTING,
    message: (conn, chunk) => void conn.write(chunk),
  })
  const body = bodyOf(4 << 20, 7)
  for (const { name, bytes } of HEADERS) {
    const socket = await connect(server.port)
    socket.write(bytes)
    socket.end(body)
    t.true(body.equals(await readAll(socket)), name)
  }
})
