/** Protocols that begin as lines or with a byte, and go on as something else. */

import test from 'ava'
import { pipe, toDuplex } from 'millrace'
import { closed, connect, readHalf, sendPieces } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'
import { type BytesConn, chunks, lines, packet, packets } from './support/switching.js'

test('a stream takes the bytes of a switch that is not complete', async (t) => {
  const server = await start(t, {
    codec: lines,
    message(conn, message) {
      if (message.toString() !== 'STARTTLS') return
      conn.codec = packets
      const stream = toDuplex(conn)
      stream.pipe(stream)
    },
  })
  const socket = await connect(server.port, { allowHalfOpen: true })
  const reply = readHalf(socket)
  const rest = bodyOf(20_000, 5)
  socket.end(Buffer.concat([Buffer.from('STARTTLS\n'), rest]))
  t.true((await reply).equals(rest))
  await closed(socket)
})

test('a stream takes the bytes behind a switch that is complete', async (t) => {
  const server = await start(t, {
    codec: lines,
    message(conn, message) {
      if (message.toString() === 'STARTTLS') conn.codec = packets
      if (message.toString() !== 'go') return
      const stream = toDuplex(conn)
      stream.pipe(stream)
    },
  })
  const socket = await connect(server.port, { allowHalfOpen: true })
  const reply = readHalf(socket)
  const rest = bodyOf(200_000, 5)
  socket.end(Buffer.concat([Buffer.from('STARTTLS\n'), packet('go'), rest]))
  t.true((await reply).equals(rest))
  await closed(socket)
})

test('two connections are piped in the middle of a switch', async (t) => {
  const first = gate<BytesConn>()
  const waiting: BytesConn[] = []
  const server = await start(t, {
    loops: ONE,
    codec: lines,
    message(conn, message) {
      if (message.toString() === 'wait') {
        waiting.push(conn)
        first.open(conn)
      }
      const [other] = waiting
      if (message.toString() !== 'join' || other === undefined) return undefined
      conn.codec = packets
      return pipe(other, conn).then(() => {})
    },
  })
  const [one, other] = await Promise.all([connect(server.port), connect(server.port)])
  one.write('wait\n')
  await first.passed
  const rest = bodyOf(30_000, 9)
  const crossed = readHalf(one)
  other.end(Buffer.concat([Buffer.from('join\n'), rest]))
  t.deepEqual([(await crossed).length, (await crossed).equals(rest)], [rest.length, true])
  one.destroy()
})

test('HTTP: a request in lines is upgraded, and what came with it is the new protocol', async (t) => {
  const server = await start(t, {
    codec: lines,
    message(conn, text) {
      // An empty line ends the head.
      if (conn.codec !== lines) conn.write(text)
      else if (text.length === 0) {
        conn.write('HTTP/1.1 101 Switching Protocols\r')
        conn.write('\r')
        conn.codec = chunks
      }
    },
  })
  const head = 'GET / HTTP/1.1\r\nUpgrade: echo\r\n\r\n'
  for (const cut of [1, 1000]) {
    const socket = await connect(server.port, { allowHalfOpen: true })
    const reply = readHalf(socket)
    const request = `${head}hello\nand no line`
    await sendPieces(socket, request, cut)
    socket.end()
    t.is((await reply).toString(), 'HTTP/1.1 101 Switching Protocols\r\n\r\nhello\nand no line')
    socket.destroy()
  }
})

test('SOCKS: one port serves lines and packets, chosen by the first byte, which is not consumed', async (t) => {
  const server = await start(t, {
    codec: chunks,
    open(conn) {
      conn.codec = {
        ...chunks,
        decode(from) {
          conn.codec = from.peek() === 0 ? packets : lines
          return undefined
        },
      }
    },
    message: (conn, message) => conn.write(message),
  })
  for (const [stream, how] of [
    [Buffer.from('hello\nworld\n'), 'lines'],
    [Buffer.concat([packet('hello'), packet('world')]), 'packets'],
  ] as const) {
    for (const cut of [1, 1000]) {
      const socket = await connect(server.port, { allowHalfOpen: true })
      const reply = readHalf(socket)
      await sendPieces(socket, stream, cut)
      socket.end()
      t.deepEqual(await reply, stream, how)
      socket.destroy()
    }
  }
})
