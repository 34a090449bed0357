/** A connection whose stream cannot be cut any further ends with its last replies, and leaves nothing behind. */

import test from 'ava'
import { type Conn, lengthField } from 'millrace'
import { closed, connectHalfOpen, read } from './support/client.js'
import { Count } from './support/counts.js'
import { codeOf, gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Sends a frame over the limit, reads the reply to the frame before it, and returns the socket. */
async function breakFrames(port: number) {
  const socket = await connectHalfOpen(port)
  socket.write(Buffer.from([0, 0, 0, 1, 65, 127, 0, 0, 0]))
  await read(socket, 5)
  return socket
}

test('a connection that has closed for a bad frame takes no place, and stays only for its last replies', async (t) => {
  const ended = new Count()
  const conns: Conn[] = []
  const server = await start(t, {
    loops: ONE,
    maxConnections: 1,
    codec: lengthField(),
    open: (conn) => void conns.push(conn),
    message: (conn, body) => void conn.write(body),
    close: () => ended.up(),
  })
  const lastReplies = () => server.stats().loops.reduce((sum, loop) => sum + loop.lastReplies, 0)
  const socket = await breakFrames(server.port)
  await ended.reaches(1)
  t.is(lastReplies(), 1)
  t.is(server.connections, 0)
  // The one place is free, and that connection's end changes nothing for the other.
  const other = await breakFrames(server.port)
  await ended.reaches(2)
  t.is(lastReplies(), 2)
  conns[0]?.destroy()
  await closed(socket.resume().end())
  while (lastReplies() !== 1) await turns(1)
  conns[1]?.destroy()
  while (lastReplies() !== 0) await turns(1)
  other.destroy()
})

for (const [name, bytes] of Object.entries({
  'a bad header': [0, 0, 0, 1, 65, 127, 0, 0, 0],
  'a frame cut by FIN': [0, 0, 0, 1, 65, 0, 0],
})) {
  test(`end during a pending promise, then ${name}, leaves no socket behind`, async (t) => {
    const [replied, settled, ended] = [gate<Conn>(), gate(), gate<Error | undefined>()]
    const seen: string[] = []
    const server = await start(t, {
      loops: ONE,
      codec: lengthField(),
      async message(conn, body) {
        conn.write(body)
        replied.open(conn)
        await settled.passed
        seen.push('settled')
      },
      close(_conn, error) {
        seen.push('close')
        ended.open(error)
      },
    })
    const lastReplies = () => server.stats().loops.reduce((sum, loop) => sum + loop.lastReplies, 0)
    const socket = await connectHalfOpen(server.port)
    socket.write(Buffer.from(bytes))
    if (name === 'a frame cut by FIN') socket.end()
    const conn = await replied.passed
    await read(socket, 5)
    conn.end()
    await turns(10)
    t.is(server.connections, 1)
    t.is(lastReplies(), 0)
    settled.open()
    t.true(
      ['ERR_FRAME_TOO_LARGE', 'ERR_FRAME_INCOMPLETE'].includes(`${codeOf(await ended.passed)}`),
    )
    t.deepEqual(seen, ['settled', 'close'])
    socket.end().destroy()
    while (lastReplies() !== 0) await turns(1)
  })
}

test('messages before a bad frame are delivered after an end too, paused or pulled', async (t) => {
  for (const pulled of [false, true]) {
    const seen: string[] = []
    const [first, ended] = [gate<Conn>(), gate<Error | undefined>()]
    const server = await start(t, {
      codec: lengthField(),
      ...(pulled
        ? {}
        : {
            message(conn: Conn, body: Buffer) {
              seen.push(body.toString())
              if (seen.length === 1) {
                conn.pause()
                first.open(conn)
              }
            },
          }),
      open: (conn) => (pulled ? first.open(conn) : undefined),
      close: (_conn, error) => ended.open(error),
    })
    const socket = await connectHalfOpen(server.port)
    const frame = (letter: number) => [0, 0, 0, 1, letter]
    socket.end(Buffer.from([...frame(65), ...frame(66), ...frame(67), 0, 0, 0]))
    const conn = await first.passed
    await turns(5)
    conn.end()
    await turns(5)
    if (pulled) {
      const pull = async () => {
        for await (const body of conn) seen.push(String(body))
      }
      await t.throwsAsync(pull(), { code: 'ERR_FRAME_INCOMPLETE' })
    } else {
      conn.resume()
    }
    t.is(codeOf(await ended.passed), 'ERR_FRAME_INCOMPLETE')
    t.deepEqual(seen, ['A', 'B', 'C'])
    socket.destroy()
  }
})

test('a bad header after our own end closes at once, and not after lingerTimeout', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    loops: ONE,
    codec: lengthField(),
    message() {},
    open: (conn) => conn.end('bye'),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  await read(socket, 7)
  socket.write(Buffer.from([127, 0, 0, 0]))
  t.is(codeOf(await ended.passed), 'ERR_FRAME_TOO_LARGE')
  t.is(server.stats().loops[0]?.lastReplies, 1)
  socket.destroy()
})
