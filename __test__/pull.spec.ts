import test from 'ava'
import { type Codec, type Conn, line, raw } from 'millrace'
import { closed, connect, connectHalfOpen, read, readAll, readHalf } from './support/client.js'
import { bodyOf } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const framed: Codec<string, string> = {
  framing: line(),
  decode: (from) => from.text(from.remaining),
  encode: (text, to) => void to.text(text),
}
/** The same protocol over a raw stream, so that one chunk holds many messages. */
const chunked: Codec<string, string> = {
  framing: raw(),
  decode(from) {
    const length = from.indexOf(10)
    if (length === -1) return undefined
    const text = from.text(length)
    from.skip(1)
    return text
  },
  encode: (text, to) => void to.text(`${text}\n`),
}
const CODECS = { frames: framed, 'a raw stream': chunked }

type TextConn = Conn<string, string>

for (const [name, codec] of Object.entries(CODECS)) {
  test(`for await yields the messages of ${name} in order, one at a time, and ends at FIN`, async (t) => {
    const count = 3000
    const seen: string[] = []
    let working = 0
    const server = await start<string, string>(t, {
      codec,
      async open(conn) {
        for await (const text of conn) {
          if (++working !== 1) t.fail('two at a time')
          if (seen.length % 100 === 0) await new Promise(setImmediate)
          seen.push(text)
          working--
        }
        conn.write(`${seen.length} lines`)
      },
    })
    const socket = await connect(server.port)
    socket.end(Array.from({ length: count }, (_, at) => `${at}\n`).join(''))
    t.is((await readAll(socket)).toString(), `${count} lines\n`)
    t.deepEqual(
      seen,
      Array.from({ length: count }, (_, at) => String(at)),
    )
  })

  test(`leaving for await early keeps the connection and the rest of ${name}, even after FIN`, async (t) => {
    const seen: string[] = []
    const left = gate<TextConn>()
    const ended = gate<Error | undefined>()
    const server = await start<string, string>(t, {
      codec,
      open(conn) {
        const pull = async () => {
          for await (const text of conn) {
            seen.push(text)
            if (text === '2') break
          }
          left.open(conn)
        }
        void pull()
      },
      close: (_, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    socket.end('1\n2\n3\n4\n5\n')
    const conn = await left.passed
    // After a round trip of a second connection, the FIN of the first has arrived.
    const other = await connect(server.port)
    other.end('2\n')
    await closed(other.resume())
    t.is(conn.readyState, 'open')
    t.true(conn.write('still here'))
    for await (const text of conn) {
      seen.push(text)
      if (text === '4') break
    }
    t.is(conn.readyState, 'open')
    for await (const text of conn) seen.push(text)
    t.is((await readAll(socket)).toString(), 'still here\n')
    t.is(await ended.passed, undefined)
    t.deepEqual(
      seen.filter((text, at) => at === seen.indexOf(text)),
      ['1', '2', '3', '4', '5'],
    )
  })

  test(`for await over ${name} throws the error that closed the connection, after all earlier messages`, async (t) => {
    const seen: string[] = []
    const thrown = gate<unknown>()
    const server = await start<string, string>(t, {
      codec,
      open(conn) {
        const pull = async () => {
          for await (const text of conn) {
            seen.push(text)
            conn.write(`got ${text}`)
          }
        }
        pull().catch(thrown.open)
      },
      close() {},
    })
    const socket = await connect(server.port)
    socket.end('1\n2\nhalf')
    t.is((await readAll(socket)).toString(), 'got 1\ngot 2\n')
    t.is(codeOf(await thrown.passed), 'ERR_FRAME_INCOMPLETE')
    t.deepEqual(seen, ['1', '2'])
  })
}

test('for await throws ECONNRESET if the peer resets, and the error passed to destroy', async (t) => {
  for (const [end, code] of [
    [(socket: { resetAndDestroy(): unknown }) => socket.resetAndDestroy(), 'ECONNRESET'],
    [
      (_: unknown, conn: TextConn) =>
        conn.destroy(Object.assign(new Error('mine'), { code: 'MINE' })),
      'MINE',
    ],
  ] as const) {
    const waits = gate<TextConn>()
    const thrown = gate<unknown>()
    const server = await start<string, string>(t, {
      codec: framed,
      open(conn) {
        const pull = async () => {
          for await (const text of conn) if (text === 'here') waits.open(conn)
        }
        pull().catch(thrown.open)
      },
      close() {},
    })
    const socket = await connect(server.port)
    socket.write('here\n')
    end(socket, await waits.passed)
    t.is(codeOf(await thrown.passed), code)
    socket.destroy()
  }
})

test('an error thrown in decode reaches for await and close', async (t) => {
  const mine = new Error('mine')
  const thrown = gate<unknown>()
  const ended = gate<Error | undefined>()
  const server = await start<string, string>(t, {
    codec: {
      ...framed,
      decode(from) {
        const text = from.text(from.remaining)
        if (text === 'bad') throw mine
        return text
      },
    },
    open(conn) {
      const pull = async () => {
        for await (const text of conn) t.is(text, 'good')
      }
      pull().catch(thrown.open)
    },
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('good\nbad\ngood\n')
  t.is(await thrown.passed, mine)
  t.is(await ended.passed, mine)
  socket.destroy()
})

test('for await ends without an error if its own side closes, destroys or resets the connection', async (t) => {
  for (const end of ['close', 'destroy', 'reset'] as const) {
    const done = gate<number>()
    const server = await start<string, string>(t, {
      codec: framed,
      open(conn) {
        const pull = async () => {
          let count = 0
          for await (const _ of conn) {
            count++
            conn[end]()
          }
          done.open(count)
        }
        void pull()
      },
    })
    const socket = await connect(server.port)
    socket.resume().write('1\n2\n3\n')
    t.is(await done.passed, 1)
    await closed(socket)
  }
})

test('a connection with a message handler cannot be iterated', async (t) => {
  const done = gate()
  const server = await start(t, {
    open(conn) {
      t.throws(() => conn[Symbol.asyncIterator](), { instanceOf: TypeError })
      done.open()
    },
    message() {},
  })
  const socket = await connect(server.port)
  await done.passed
  socket.destroy()
})

test('reading stops while nobody pulls, and continues with the next pull', async (t) => {
  const MIB = 1 << 20
  const much = 64 * MIB
  const opened = gate<Conn>()
  const server = await start(t, {
    maxParked: MIB,
    open(conn) {
      if (server.connections === 1) {
        opened.open(conn)
        return
      }
      const echo = async () => {
        for await (const chunk of conn) conn.write(chunk)
      }
      void echo()
    },
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  for (let sent = 0; sent < much; sent += MIB) socket.write(bodyOf(MIB, 0))
  // Round trips of another connection give the loop every chance to keep reading.
  const other = await connect(server.port)
  for (let at = 0; at < 200; at++) {
    other.write('ping')
    await read(other, 4)
  }
  t.true(conn.bytesRead <= 3 * MIB, `${conn.bytesRead} bytes read`)
  let received = 0
  for await (const chunk of conn) {
    received += chunk.length
    if (received === much) conn.close('all')
  }
  t.is((await readAll(socket)).toString(), 'all')
  t.is(received, much)
  other.end()
  await closed(other.resume())
})

test('a pending pull survives pause and resume and gets the next message', async (t) => {
  const waits = gate()
  const got = gate<string>()
  const server = await start<string, string>(t, {
    codec: framed,
    async open(conn) {
      const iterator = conn[Symbol.asyncIterator]()
      const next = iterator.next()
      conn.pause()
      const other = iterator.next()
      conn.resume()
      waits.open()
      got.open(`${(await next).value} ${(await other).value}`)
    },
  })
  const socket = await connect(server.port)
  await waits.passed
  socket.write('one\ntwo\n')
  t.is(await got.passed, 'one two')
})

test('a puller that asks ahead can still write its last reply', async (t) => {
  const server = await start(t, {
    codec: line(),
    open(conn) {
      const pull = async () => {
        const messages = conn[Symbol.asyncIterator]()
        let next = messages.next()
        for (;;) {
          const { done, value } = await next
          if (done) return
          next = messages.next()
          conn.write(value)
        }
      }
      void pull()
    },
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('a\nb\nc\n')
  t.is((await readHalf(socket)).toString(), 'a\nb\nc\n')
})

test('a paused connection gives no message to a pull, even if some have been received', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, { codec: line(), open: (conn) => opened.open(conn) })
  const socket = await connect(server.port)
  socket.write('one\ntwo\nthree\n')
  const conn = await opened.passed
  const messages = conn[Symbol.asyncIterator]()
  t.is(String((await messages.next()).value), 'one')
  while (conn.bytesRead < 14) await turns(1)
  conn.pause()
  let isPulled = false
  const pulled = messages.next().then(({ value }) => {
    isPulled = true
    return String(value)
  })
  await turns(100)
  t.false(isPulled)
  conn.resume()
  t.is(await pulled, 'two')
  t.is(String((await messages.next()).value), 'three')
  socket.destroy()
})

test('an iteration that is paused finishes after resume, and throws if the stream was cut', async (t) => {
  for (const isCut of [false, true]) {
    const opened = gate<Conn>()
    const finished = gate<string | undefined>()
    const server = await start(t, {
      codec: raw(),
      open(conn) {
        const pull = async () => {
          for await (const chunk of conn) {
            t.is(String(chunk), 'message')
            conn.pause()
            opened.open(conn)
          }
        }
        pull().then(
          () => finished.open('done'),
          (error) => finished.open(codeOf(error)),
        )
      },
      close() {},
    })
    const socket = await connectHalfOpen(server.port)
    socket.resume().write('message')
    const conn = await opened.passed
    const ended = closed(socket)
    if (isCut) socket.resetAndDestroy()
    else socket.end()
    await turns(5)
    if (!isCut) t.is(conn.readyState, 'open')
    conn.resume()
    t.is(await finished.passed, isCut ? 'ECONNRESET' : 'done')
    await ended
  }
})
