import { randomBytes } from 'node:crypto'
import test from 'ava'
import { type Conn, json, lengthField, line } from 'millrace'
import { Count } from './support/counts.js'
import { dial, path, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { start } from './support/serve.js'

for (const kind of KINDS) {
  test(`bytes go both ways over ${kind}, and the connection shows both addresses`, async (t) => {
    const size = 3 << 20
    const [ours, theirs] = [randomBytes(size), randomBytes(size)]
    const arrived = gate<Buffer>()
    const to = await peer(t, kind, (socket) => {
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('end', () => arrived.open(Buffer.concat(chunks)))
      socket.end(theirs)
    })
    const chunks: Buffer[] = []
    const closed = gate<Error | undefined>()
    const conn = await dial(t, {
      to,
      maxWriteBuffer: 4 << 20,
      allowHalfOpen: true,
      message: (_conn, chunk) => void chunks.push(chunk),
      close: (_conn, error) => closed.open(error),
    })
    t.is(conn.remote, kind === 'tcp' ? to.replace('tcp://', '') : to.replace('unix://', 'unix:'))
    t.is(conn.local === '', kind === 'unix')
    conn.write(ours)
    conn.end()
    t.true((await arrived.passed).equals(ours))
    t.is(await closed.passed, undefined)
    t.true(Buffer.concat(chunks).equals(theirs))
    t.is(conn.bytesRead, size)
    t.is(conn.bytesWritten, size)
    t.is(conn.readyState, 'closed')
  })

  test(`a codec and context type a connection over ${kind}`, async (t) => {
    interface Ping {
      id: number
    }
    const codec = () => json<Ping>(lengthField())
    const place = kind === 'tcp' ? 'tcp://127.0.0.1:0' : `unix://${path()}`
    const server = await start(t, {
      listen: place,
      codec: codec(),
      message: (conn, ping) => void conn.write({ id: ping.id + 1 }),
    })
    const last = gate()
    const conn = await dial(t, {
      to: server.addresses[0] as string,
      codec: codec(),
      context: (who) => ({ to: who.remote, seen: 0 }),
      open: (conn) => void conn.write({ id: 0 }),
      message(conn, ping) {
        conn.context.seen++
        if (ping.id < 1000) conn.write(ping)
        else last.open()
      },
    })
    await last.passed
    t.is(conn.context.seen, 1000)
    t.is(conn.context.to, conn.remote)
  })

  test(`T28: data written right after connecting over ${kind} arrives, after the data written in open`, async (t) => {
    const got = gate<string>()
    const to = await peer(t, kind, (socket) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
        if (text.length === 10) got.open(text)
      })
    })
    const conn = await dial(t, { to, open: (conn) => void conn.write('open ') })
    t.true(conn.write('after'))
    t.is(await got.passed, 'open after')
    // The peer may have the bytes before the loop's thread has counted them.
    await conn.flushed()
    t.is(conn.buffered, 0)
  })
}

test('T27: clients and a server of millrace talk to each other, and each close is reported once', async (t) => {
  const count = 100
  const opened = new Count()
  const [serverSide, clientSide] = [new Count(), new Count()]
  const server = await start(t, {
    codec: line(),
    message: (conn, text) => void conn.write(text),
    close: () => serverSide.up(),
  })
  const to = `tcp://127.0.0.1:${server.port}`
  await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const conn = await dial(t, {
        to,
        codec: line(),
        loops: server,
        open: () => opened.up(),
        close: () => clientSide.up(),
      })
      for (let n = 0; n < 10; n++) conn.write(`${at} ${n}`)
      let n = 0
      for await (const text of conn) {
        t.is(String(text), `${at} ${n}`)
        if (++n === 10) break
      }
      conn.end()
    }),
  )
  await Promise.all([serverSide.reaches(count), clientSide.reaches(count)])
  await server.close()
  t.is(opened.value, count)
  t.is(serverSide.value, count)
  t.is(clientSide.value, count)
})

test('a client that keeps writing and a server that echoes never deadlock', async (t) => {
  const size = 64 << 20
  const server = await start(t, {
    highWaterMark: 64 * 1024,
    message(conn, chunk) {
      if (!conn.write(chunk)) conn.pause()
    },
    drain: (conn) => conn.resume(),
  })
  let [written, echoed] = [0, 0]
  const all = gate()
  const chunk = randomBytes(1 << 18)
  const fill = (conn: Conn) => {
    while (written < size) {
      written += chunk.length
      if (!conn.write(chunk)) return
    }
  }
  await dial(t, {
    to: `tcp://127.0.0.1:${server.port}`,
    highWaterMark: 64 * 1024,
    open: fill,
    drain: fill,
    message(_conn, piece) {
      echoed += piece.length
      if (echoed === size) all.open()
    },
  })
  await all.passed
  t.is(echoed, size)
})
