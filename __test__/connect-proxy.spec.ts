import { randomBytes } from 'node:crypto'
import test from 'ava'
import { type Conn, connect } from 'millrace'
import { dial, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { LOOPS, start } from './support/serve.js'
import { turns } from './support/turns.js'

for (const kind of KINDS) {
  for (const loops of [1, 3]) {
    test(`T24: a proxy keeps both connections of a pair on one loop and pauses each for the other (${kind}, loops: ${loops})`, async (t) => {
      // More than the kernel buffers between two ends.
      const size = 12 << 20
      const count = 3
      // The slow side: it reads nothing until told to, then echoes everything.
      const read = gate()
      const backend = await peer(t, kind, (socket) => {
        void read.passed.then(() => socket.pipe(socket))
      })
      const pairs: [number, number][] = []
      let isHeldBack = false
      interface Side {
        other: Conn<Buffer, Uint8Array | string, Side> | undefined
      }
      const pipe = {
        highWaterMark: 64 * 1024,
        message(conn: Conn<Buffer, Uint8Array | string, Side>, chunk: Buffer) {
          if (conn.context.other?.write(chunk) === false) {
            isHeldBack = true
            conn.pause()
          }
        },
        drain: (conn: Conn<Buffer, Uint8Array | string, Side>) => conn.context.other?.resume(),
        close: (conn: Conn<Buffer, Uint8Array | string, Side>) => conn.context.other?.end(),
      }
      const server = await start<Buffer, Uint8Array | string, Side>(t, {
        loops: LOOPS === 'inline' ? 'inline' : loops,
        context: (): Side => ({ other: undefined }),
        ...pipe,
        async open(conn) {
          conn.pause()
          const other = await connect<Buffer, Uint8Array | string, Side>({
            to: backend,
            loop: conn,
            context: (): Side => ({ other: conn }),
            ...pipe,
          })
          conn.context.other = other
          // The client may have left meanwhile: its `close` had no other side to end yet.
          if (conn.readyState === 'closed') other.end()
          pairs.push([conn.loop, other.loop])
          conn.resume()
        },
      })
      const clients = await Promise.all(
        Array.from({ length: count }, async () => {
          const bytes = randomBytes(size)
          let length = 0
          const chunks: Buffer[] = []
          const back = gate()
          const conn = await dial(t, {
            to: `tcp://127.0.0.1:${server.port}`,
            message(_conn, chunk) {
              chunks.push(chunk)
              length += chunk.length
              if (length === bytes.length) back.open()
            },
          })
          conn.write(bytes)
          return { bytes, chunks, back, conn }
        }),
      )
      // Backpressure reaches the client's side before the backends read.
      while (!isHeldBack || pairs.length < count) await turns(1)
      read.open()
      for (const { bytes, chunks, back } of clients) {
        await back.passed
        t.true(Buffer.concat(chunks).equals(bytes))
      }
      for (const [one, other] of pairs) t.is(one, other)
      const used = new Set(pairs.map(([one]) => one)).size
      t.is(used, LOOPS === 'inline' ? 1 : loops)
    })
  }
}
