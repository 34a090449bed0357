import test from 'ava'
import { type Codec, type Conn, lengthField, line, raw } from 'millrace'
import { connect, read, readAll } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { gate, tally } from './support/gate.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Lines in a raw stream, so that one chunk holds many. */
const rawLines: Codec<Buffer, string> = {
  framing: raw(),
  decode(from) {
    const length = from.indexOf(10)
    if (length === -1) return undefined
    const text = from.bytes(length)
    from.skip(1)
    return text
  },
  encode: (text, to) => void to.text(`${text}\n`),
}
const lines: Codec<Buffer, string> = { ...line(), encode: (text, to) => void to.text(text) }

for (const [name, codec] of Object.entries({ frames: lines, 'a raw chunk': rawLines })) {
  test(`no message follows pause in the middle of a batch, and resume continues with the next one (${name})`, async (t) => {
    const count = 2000
    const seen: number[] = []
    let isPaused = false
    const server = await start<Buffer, string>(t, {
      codec,
      message(conn, text) {
        if (isPaused) t.fail(`${text} came after pause() had returned`)
        seen.push(Number(text))
        if (seen.length % 7 === 0) {
          conn.pause()
          isPaused = true
          setImmediate(() => {
            isPaused = false
            conn.resume()
          })
        }
        if (seen.length === count) conn.end('done')
      },
    })
    const socket = await connect(server.port)
    socket.write(Array.from({ length: count }, (_, at) => `${at}\n`).join(''))
    t.is((await readAll(socket)).toString(), 'done\n')
    t.deepEqual(
      seen,
      Array.from({ length: count }, (_, at) => at),
    )
  })

  test(`pause and resume in one handler lose and delay no message (${name})`, async (t) => {
    const seen: string[] = []
    const server = await start<Buffer, string>(t, {
      codec,
      message(conn, text) {
        seen.push(text.toString())
        conn.pause()
        conn.resume()
        conn.pause()
        conn.resume()
        if (text.toString() === 'd') conn.end('done')
      },
    })
    const socket = await connect(server.port)
    socket.write('a\nb\nc\nd\n')
    t.is((await readAll(socket)).toString(), 'done\n')
    t.deepEqual(seen, ['a', 'b', 'c', 'd'])
  })
}

test('a paused connection still writes, drains and ends', async (t) => {
  const server = await start<Buffer, string>(t, {
    codec: lines,
    highWaterMark: 10,
    open(conn) {
      conn.pause()
      t.false(conn.write('longer than ten bytes'))
    },
    drain: (conn) => conn.end('drained'),
  })
  const socket = await connect(server.port)
  socket.write('never read\n')
  t.is((await readAll(socket)).toString(), 'longer than ten bytes\ndrained\n')
})

test('300 paused connections with input do not hold back another one', async (t) => {
  const paused = 300
  const held = new Set<Conn<Buffer, string>>()
  const all = tally(paused)
  const texts = new Map<Conn<Buffer, string>, string[]>()
  const server = await start<Buffer, string>(t, {
    codec: lines,
    message(conn, text) {
      if (text.toString() === 'hold') {
        conn.pause()
        held.add(conn)
        texts.set(conn, [])
        all.hit()
      } else if (texts.has(conn)) {
        texts.get(conn)?.push(text.toString())
        conn.write(text.toString())
      } else {
        conn.write(text.toString())
      }
    },
  })
  // Each client then sends more than its share of any ring.
  const more = Array.from({ length: 40 }, (_, at) => `${at} ${'x'.repeat(500)}`)
  const sockets = await Promise.all(
    Array.from({ length: paused }, async () => {
      const socket = await connect(server.port)
      socket.write(`hold\n${more.join('\n')}\n`)
      return socket
    }),
  )
  await all.all
  const honest = await connect(server.port)
  for (let at = 0; at < 200; at++) {
    honest.write(`ping ${at}\n`)
    t.is((await read(honest, `ping ${at}\n`.length)).toString(), `ping ${at}\n`)
  }
  t.true([...texts.values()].every((each) => each.length === 0))
  for (const conn of held) conn.resume()
  const replies = await Promise.all(
    sockets.map(async (socket) => {
      socket.end()
      return (await readAll(socket)).toString()
    }),
  )
  t.true(replies.every((reply) => reply === `${more.join('\n')}\n`))
  honest.destroy()
})

test('a paused connection reads no more than maxParked and the data already on its way', async (t) => {
  const MIB = 1 << 20
  const much = 64 * MIB
  const paused = gate<Conn>()
  let received = 0
  const server = await start(t, {
    maxParked: MIB,
    open(conn) {
      if (server.connections > 1) return
      conn.pause()
      paused.open(conn)
    },
    async message(conn, chunk) {
      if (conn !== (await paused.passed)) {
        conn.write(chunk)
        return
      }
      received += chunk.length
      if (received === much) conn.end('all')
    },
  })
  const socket = await connect(server.port)
  const conn = await paused.passed
  const body = bodyOf(MIB, 0)
  for (let sent = 0; sent < much; sent += MIB) socket.write(body)
  // Round trips of another connection give the loop every chance to keep reading.
  const other = await connect(server.port)
  for (let at = 0; at < 200; at++) {
    other.write('ping')
    await read(other, 4)
  }
  t.true(conn.bytesRead <= 2 * MIB, `${conn.bytesRead} bytes read`)
  t.is(received, 0)
  conn.resume()
  t.is((await readAll(socket)).toString(), 'all')
  t.is(received, much)
  other.destroy()
})

for (const isPushed of [true, false]) {
  test(`frames of all sizes that a pause has kept come in order, and stay as they are: ${isPushed ? 'pushed' : 'pulled'}`, async (t) => {
    const bodies = Array.from({ length: 1500 }, (_, index) => bodyOf((index * 37) % 3000, index))
    const wires = bodies.map((body) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(body.length)
      return Buffer.concat([length, body])
    })
    const received: Buffer[] = []
    const opened = gate<Conn>()
    const all = gate()
    const take = (body: Buffer) => {
      received.push(body)
      if (received.length === bodies.length) all.open()
    }
    const server = await start(t, {
      codec: lengthField(),
      open(conn) {
        conn.pause()
        opened.open(conn)
      },
      ...(isPushed ? { message: (_conn: Conn, body: Buffer) => take(body) } : {}),
    })
    const socket = await connect(server.port)
    socket.write(Buffer.concat(wires))
    const conn = await opened.passed
    for (let count = 0; count < 5 && received.length < bodies.length; count++) {
      conn.resume()
      if (isPushed) await turns(1)
      else for (let pulled = 0; pulled < 300; pulled++) take((await pull(conn)) as Buffer)
      conn.pause()
    }
    conn.resume()
    await all.passed
    t.true(received.every((body, index) => body.equals(bodies[index] as Buffer)))
    socket.destroy()
  })
}

async function pull(conn: Conn): Promise<unknown> {
  return (await conn[Symbol.asyncIterator]().next()).value
}
