/** What happens around a switch to another framing: the end of the input, limits, pauses, and large frames. */

import test from 'ava'
import { type Conn, lengthField, line, MillraceError, raw, varint } from 'millrace'
import { closed, connect, read } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'
import {
  type Bytes,
  type BytesConn,
  chunks,
  lines,
  packet,
  packets,
  serveSwitch,
} from './support/switching.js'
import { turns } from './support/turns.js'

/** What a connection may have done before, each of which keeps more about it. */
const PREPARATIONS: readonly (readonly [string, (conn: BytesConn) => unknown])[] = [
  ['plain', () => undefined],
  ['its limits were set', (conn) => conn.setTimeouts({ handler: 0 })],
  ['it has flushed', (conn) => conn.write('x') && conn.flushed()],
]

test('a codec with a framing of the loops cannot be replaced unless it is switchable', async (t) => {
  const done = gate()
  const server = await start(t, {
    codec: line(),
    message(conn) {
      for (const next of [line(), raw(), lengthField(), lines]) {
        const error = t.throws(
          () => {
            conn.codec = next
          },
          { instanceOf: MillraceError },
        )
        t.is(error?.code, 'ERR_INVALID_OPTION')
        t.regex(error?.message ?? '', /switchable/)
      }
      done.open()
    },
  })
  const socket = await connect(server.port)
  socket.write('x\n')
  await done.passed
  socket.destroy()
})

test('a framing that is not one, and a switchable that is no boolean, are refused and change nothing', async (t) => {
  const codes: unknown[] = []
  const server = await start(t, {
    codec: lines,
    message(conn, message) {
      for (const bad of [
        { ...lines, switchable: 'yes' },
        { ...lines, framing: { kind: 'line', max: 0 } },
        { ...lines, framing: { kind: 'lines', max: 1 } },
      ]) {
        try {
          conn.codec = bad as never
        } catch (error) {
          codes.push(codeOf(error))
        }
      }
      conn.write(message)
    },
  })
  const socket = await connect(server.port)
  socket.write('x\ny\n')
  t.is((await read(socket, 4)).toString(), 'x\ny\n')
  t.deepEqual(codes, Array(6).fill('ERR_INVALID_OPTION'))
  socket.destroy()
})

for (const isPulled of [false, true]) {
  const how = isPulled ? 'pulled' : 'pushed'

  test(`bytes that the old framing could not cut are no error after the switch: ${how}`, async (t) => {
    // Over the max of a line by far, and then the end.
    const body = bodyOf(50_000, 7)
    const { socket, texts, ended } = await serveSwitch(t, packets, { isPulled })
    socket.end(Buffer.concat([Buffer.from('a\nswitch\n'), packet(body), packet('b')]))
    t.is(await ended, undefined)
    t.deepEqual(texts, ['a', 'switch', body.toString('latin1'), 'b'])
    socket.destroy()
  })

  test(`a switch after the loop has met the end takes effect: ${how}`, async (t) => {
    const { socket, texts, ended, opened, took } = await serveSwitch(t, packets, {
      isPulled,
      wait: () => seen.passed,
    })
    const seen = gate()
    const body = bodyOf(2000, 3)
    socket.end(Buffer.concat([Buffer.from('switch\n'), packet(body)]))
    await took
    const conn = await opened
    while (conn.bytesRead < 2009) await new Promise(setImmediate)
    // What follows the line is too long for one, and the handler has not settled: the connection stays.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    seen.open()
    t.is(await ended, undefined)
    t.deepEqual(texts, ['switch', body.toString('latin1')])
    socket.destroy()
  })

  test(`a frame that is cut off after the switch is an error: ${how}`, async (t) => {
    const { socket, texts, ended } = await serveSwitch(t, packets, { isPulled })
    socket.end(
      Buffer.concat([Buffer.from('switch\n'), packet('one'), packet('two').subarray(0, 4)]),
    )
    t.is(await ended, 'ERR_FRAME_INCOMPLETE')
    t.deepEqual(texts, ['switch', 'one'])
    socket.destroy()
  })

  for (const [what, prepare] of PREPARATIONS) {
    const rest: Bytes = {
      ...raw(),
      decode: (from) => (from.remaining < 6 ? undefined : from.bytes(6)),
    }
    const change = (conn: BytesConn) => {
      prepare(conn)
      conn.codec = rest
    }

    test(`a raw message that is cut off after the switch is an error: ${how}, ${what}`, async (t) => {
      for (const first of [lines, packets]) {
        const switched = first === lines ? Buffer.from('switch\n') : packet('switch')
        const { socket, texts, ended } = await serveSwitch(t, change, { isPulled, first })
        socket.end(Buffer.concat([switched, Buffer.from('secondthi')]))
        t.is(await ended, 'ERR_FRAME_INCOMPLETE')
        t.deepEqual(texts, ['switch', 'second'])
        socket.destroy()
      }
    })

    test(`limits in time hold for a raw message that has begun after the switch: ${how}, ${what}`, async (t) => {
      for (const [limit, code] of [
        ['frame', 'ERR_FRAME_TIMEOUT'],
        ['receive', 'ERR_RECEIVE_TIMEOUT'],
        ['idle', 'ERR_IDLE_TIMEOUT'],
      ] as const) {
        const timeouts = { [limit]: 100 }
        const { socket, ended } = await serveSwitch(t, change, { isPulled, timeouts })
        socket.write('switch\nthi')
        t.is(await ended, code)
        socket.destroy()
      }
    })
  }

  test(`the max of the new framing holds for bytes that were there already: ${how}`, async (t) => {
    const first: Bytes = {
      ...raw(),
      decode: (from) => (from.remaining < 6 ? undefined : from.bytes(6)),
    }
    const next: Bytes = lengthField({ bytes: 2, max: 10 })
    const { socket, texts, ended } = await serveSwitch(t, next, { isPulled, first })
    socket.write(Buffer.concat([Buffer.from('switch'), packet('short'), packet('much too long')]))
    t.is(await ended, 'ERR_FRAME_TOO_LARGE')
    t.deepEqual(texts, ['switch', 'short'])
    socket.destroy()
  })
}

test('a frame in many parts, of which some are here, goes on under another framing', async (t) => {
  // The frame is larger than what fits into a ring at once, so the loop has told only its beginning.
  const framed: Bytes = { ...varint({ max: 8 << 20 }), switchable: true }
  const length = 3 << 20
  const body = bodyOf(length, 11)
  const opened = gate<Conn>()
  const received: Buffer[] = []
  const ended = gate<string | undefined>()
  const server = await start(t, {
    codec: framed,
    open: opened.open,
    message: (_conn, chunk) => void received.push(Buffer.from(chunk)),
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connect(server.port)
  const header = Buffer.from([0x80, 0x80, 0xc0, 0x01])
  const conn = await opened.passed
  // In two halves, so that the frame has not come as a whole before.
  socket.write(Buffer.concat([header, body.subarray(0, length / 2)]))
  while (conn.bytesRead < length / 2) await new Promise(setImmediate)
  conn.codec = chunks
  socket.end(body.subarray(length / 2))
  t.is(await ended.passed, undefined)
  t.true(Buffer.concat(received).equals(Buffer.concat([header, body])))
  socket.destroy()
})

test('a switch in a frame that is told in part keeps its bytes', async (t) => {
  const framed: Bytes = { ...varint({ max: 8 << 20 }), switchable: true }
  const length = 3 << 20
  const body = bodyOf(length, 13)
  const received: Buffer[] = []
  const ended = gate<string | undefined>()
  const server = await start(t, {
    codec: framed,
    message(conn, chunk) {
      received.push(Buffer.from(chunk))
      if (received.length === 1) {
        // While the handler runs the loop fills the ring with the parts of the next frame.
        const { bytesRead } = conn
        for (let look = 0; look < 1000 && conn.bytesRead === bytesRead; look++);
        setImmediate(() => {
          conn.codec = chunks
        })
      }
    },
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connect(server.port)
  const header = Buffer.from([0x80, 0x80, 0xc0, 0x01])
  socket.end(Buffer.concat([Buffer.from([1, 0x61]), header, body]))
  t.is(await ended.passed, undefined)
  const all = Buffer.concat(received)
  // The frame may have been complete before the switch: then its header is not among the bytes.
  t.true(all.subarray(1).equals(body) || all.subarray(1).equals(Buffer.concat([header, body])))
  socket.destroy()
})

test('a paused connection switches, and delivers nothing before it goes on', async (t) => {
  const { socket, texts, ended, opened, took } = await serveSwitch(t, (conn) => {
    conn.pause()
    conn.codec = packets
  })
  socket.end(Buffer.concat([Buffer.from('switch\n'), packet('one'), packet('two')]))
  await took
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.deepEqual(texts, ['switch'])
  const conn = await opened
  conn.resume()
  t.is(await ended, undefined)
  t.deepEqual(texts, ['switch', 'one', 'two'])
  socket.destroy()
})

test('a handler that pauses before it waits and switches gets all that follows under the new codec', async (t) => {
  const first: Bytes = {
    ...raw(),
    decode(from) {
      if (from.remaining === 0) return undefined
      const size = from.peek() === 0 ? 7 : 6
      return from.remaining < size ? undefined : from.bytes(size)
    },
  }
  for (const isPaused of [true, false]) {
    for (const old of [lines, first]) {
      for (const next of [packets, chunks]) {
        const waited = gate()
        const change = (conn: BytesConn) => {
          if (isPaused) setImmediate(() => conn.resume())
          conn.codec = next
        }
        const { socket, texts, ended, opened } = await serveSwitch(t, change, {
          first: old,
          wait() {
            if (isPaused) conn.pause()
            return waited.passed
          },
        })
        const conn = await opened
        // To each of the codecs, what follows is a message.
        const switched = old === lines ? 'switch\n' : 'switch'
        socket.write(Buffer.concat([Buffer.from(switched), packet('abcd\n')]))
        socket.end()
        while (conn.bytesRead < switched.length + 7) await turns(1)
        await turns(10)
        waited.open()
        t.is(await ended, undefined)
        const old5 = old === lines ? '\x00\x05abcd' : '\x00\x05abcd\n'
        const new5 = next === packets ? 'abcd\n' : '\x00\x05abcd\n'
        t.deepEqual(texts, ['switch', isPaused ? new5 : old5])
        socket.destroy()
      }
    }
  }
})

test('of codecs that are assigned one after the other the last one counts', async (t) => {
  const { socket, texts, ended } = await serveSwitch(t, (conn) => {
    for (const next of [packets, chunks, lines, packets, chunks, packets]) conn.codec = next
  })
  socket.end(Buffer.concat([Buffer.from('switch\n'), packet('one'), packet('two')]))
  t.is(await ended, undefined)
  t.deepEqual(texts, ['switch', 'one', 'two'])
  socket.destroy()
})

test('a server that closes delivers what came before, under the new framing', async (t) => {
  const { server, socket, texts, ended } = await serveSwitch(
    t,
    (conn) => {
      conn.codec = packets
      void server.close()
    },
    { allowHalfOpen: false },
  )
  socket.write(Buffer.concat([Buffer.from('switch\n'), packet('one'), packet('two')]))
  socket.resume()
  t.is(await ended, undefined)
  t.deepEqual(texts, ['switch', 'one', 'two'])
  await closed(socket)
})
