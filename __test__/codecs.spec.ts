import test from 'ava'
import {
  type Codec,
  type Conn,
  defineCodec,
  json,
  lengthField,
  line,
  map,
  raw,
  testCodec,
} from 'millrace'
import { connect, read, readAll, sendPieces } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { numbers } from './support/numbers.js'
import { start } from './support/serve.js'

test('json turns frames into messages and messages into frames', async (t) => {
  const server = await start<{ n: number }, { twice: number; text: string }>(t, {
    codec: json(line()),
    message: (conn, { n }) => void conn.write({ twice: 2 * n, text: 'å\n' }),
  })
  const socket = await connect(server.port)
  socket.end('{"n":1}\n{ "n" : 2 }\r\n')
  t.is((await readAll(socket)).toString(), '{"twice":2,"text":"å\\n"}\n{"twice":4,"text":"å\\n"}\n')
})

test('invalid JSON closes its connection with ERR_FRAME_INVALID', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start<unknown>(t, {
    codec: json(line()),
    message() {},
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('{"n":1}\n{"n":\n')
  const error = await ended.passed
  t.is(codeOf(error), 'ERR_FRAME_INVALID')
  t.true(error?.cause instanceof SyntaxError)
  t.throws(() => json(raw()), { code: 'ERR_INVALID_OPTION' })
  socket.destroy()
})

test('write throws if a message has no JSON form', async (t) => {
  const server = await start<unknown, unknown>(t, {
    codec: json(line()),
    open(conn) {
      t.throws(() => conn.write(undefined), { instanceOf: TypeError })
      t.throws(() => conn.write(1n), { instanceOf: TypeError })
      conn.end(null)
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), 'null\n')
})

test('an invalid codec is refused with a code by the function that gets it', (t) => {
  const functions = { decode: () => 1, encode() {} }
  const same = (message: unknown) => message
  const refused: (() => unknown)[] = [
    ...[undefined, null, 7, {}, { framing: null }, { framing: 'line', ...functions }].flatMap(
      (bad) => [
        () => json(bad as never),
        () => map(bad as never, same, same as never),
        () => defineCodec(bad as never),
      ],
    ),
    () => defineCodec({ ...line(), encode: undefined } as never),
    () => map(line(), undefined as never, same as never),
    () => map(line(), same, 'text' as never),
  ]
  for (const each of refused) t.throws(each, { code: 'ERR_INVALID_OPTION' }, String(each))
})

test('map converts both ways and can drop messages, with frames and with a raw stream', async (t) => {
  const mapped = <In>(codec: Codec<In, number>, value: (message: In) => number) =>
    map(
      codec,
      (message) => (value(message) < 0 ? undefined : { value: value(message) }),
      (message: { value: number }) => message.value,
    )
  const asText: Codec<string, number> = {
    framing: line(),
    decode: (from) => from.text(from.remaining),
    encode: (value, to) => void to.text(String(value)),
  }
  const cases = [
    [mapped(asText, Number), '1\n-2\n-3\n4\n', '2\n8\n'],
    [mapped(numbers, Number), '1;-2;-3;4;', '2;8;'],
  ] as const
  for (const [codec, sent, expected] of cases) {
    const server = await start<{ value: number }, { value: number }>(t, {
      codec,
      message: (conn, { value }) => void conn.write({ value: 2 * value }),
    })
    const socket = await connect(server.port)
    socket.end(sent)
    t.is((await readAll(socket)).toString(), expected)
    for (const splits of [[], [1, 3], 'each'] as const) {
      t.deepEqual(testCodec(codec, sent, { splits }), {
        messages: [{ value: 1 }, { value: 4 }],
        error: undefined,
      })
    }
  }
})

test('a decode that returns undefined drops a native frame, but waits for more of a raw stream', async (t) => {
  const words: Codec<string, string> = {
    ...line(),
    decode: (from) => {
      const text = from.text(from.remaining)
      return text === 'heartbeat' ? undefined : text
    },
    encode: (text, to) => void to.text(text),
  }
  const server = await start<string, string>(t, {
    codec: words,
    message: (conn, text) => void conn.write(text),
  })
  const socket = await connect(server.port)
  socket.end('heartbeat\na\nheartbeat\nheartbeat\nb\nheartbeat\n')
  t.is((await readAll(socket)).toString(), 'a\nb\n')
  let asked = 0
  const waiting: Codec<number> = {
    ...numbers,
    decode(from) {
      asked++
      return numbers.decode(from)
    },
  }
  const slow = await start<number, number>(t, {
    codec: waiting,
    message: (conn, value) => void conn.end(value),
  })
  const other = await connect(slow.port, { noDelay: true })
  for (const byte of '1234;') await new Promise((resolve) => other.write(byte, resolve))
  t.is((await readAll(other)).toString(), '1234;')
  t.true(asked > 0)
})

test('a codec function gives each connection a codec with its own state', async (t) => {
  const made: string[] = []
  const server = await start<string, string>(t, {
    codec: (peer) => {
      made.push(peer.remote)
      let count = 0
      return {
        framing: line(),
        decode: (from) => `${++count} ${from.text(from.remaining)}`,
        encode: (text, to) => void to.text(text),
      }
    },
    message: (conn, text) => void conn.write(text),
  })
  const sockets = [await connect(server.port), await connect(server.port)]
  const remotes = sockets.map((socket) => `127.0.0.1:${socket.localPort}`)
  const replies = await Promise.all(
    sockets.map(async (socket) => {
      socket.end('a\nb\n')
      return (await readAll(socket)).toString()
    }),
  )
  t.deepEqual(replies, ['1 a\n2 b\n', '1 a\n2 b\n'])
  t.deepEqual(made.slice(-2).sort(), remotes.sort())
})

test('a codec function that changes the framing closes only that connection', async (t) => {
  let count = 0
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, string | Uint8Array>(t, {
    codec: () => (++count === 2 ? lengthField() : line()),
    message: (conn, text) => void conn.write(text),
    close: (_, error) => error && ended.open(error),
  })
  const bad = await connect(server.port)
  t.is(codeOf(await ended.passed), 'ERR_INVALID_OPTION')
  const good = await connect(server.port)
  good.end('fine\n')
  t.is((await readAll(good)).toString(), 'fine\n')
  bad.destroy()
})

test('with raw framing another codec takes over at the next undecoded byte', async (t) => {
  const lines: Codec<string, string> = {
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
  const chunks: Codec<string, string> = {
    framing: raw(),
    decode: (from) => (from.remaining < 4 ? undefined : from.text(4)),
    encode: (text, to) => void to.text(`[${text}]`),
  }
  const stream = 'hello\nupgrade\nabcdefghback\n123\nx\n'
  // An empty line follows `back`.
  const expected = 'hello\nupgrade\n[abcd][efgh][back]\n123\nx\n'
  // All at once, and byte by byte.
  for (const cut of [stream.length, 1]) {
    const server = await start<string, string>(t, {
      codec: lines,
      message(conn, text) {
        conn.write(text)
        if (text === 'upgrade') conn.codec = chunks
        if (text === 'back') conn.codec = lines
        if (text === 'x') conn.end()
      },
    })
    const socket = await connect(server.port)
    await sendPieces(socket, stream, cut)
    t.is((await readAll(socket)).toString(), expected)
  }
})

test('a reply may be longer than its request, and may be read in pieces', async (t) => {
  const server = await start<number, number>(t, {
    codec: numbers,
    message(conn, value) {
      for (let at = 1; at <= value; at++) conn.write(at)
    },
  })
  const socket = await connect(server.port)
  socket.write('5;')
  t.is((await read(socket, 4)).toString(), '1;2;')
  t.is((await read(socket, 6)).toString(), '3;4;5;')
  socket.destroy()
})

test('an invalid codec cannot be assigned, and the max of a valid one applies at once', async (t) => {
  const none: Codec<Buffer, Uint8Array | string> = { ...raw({ max: 4 }), decode: () => undefined }
  const ended = gate<string | undefined>()
  const server = await start(t, {
    codec: raw({ max: 1 << 20 }),
    open(conn) {
      const { framing } = raw()
      for (const bad of [null, {}, { framing }, { framing: null }] as never[]) {
        t.throws(
          () => {
            conn.codec = bad
          },
          { code: 'ERR_INVALID_OPTION' },
        )
      }
      conn.codec = none
    },
    close: (_conn, error) => ended.open(codeOf(error)),
    message: () => t.fail(),
  })
  const socket = await connect(server.port)
  socket.write('12345')
  t.is(await ended.passed, 'ERR_FRAME_TOO_LARGE')
  socket.destroy()
})

for (const framing of [line(), raw()]) {
  for (const way of ['close', 'destroy', 'reset'] as const) {
    test(`no message follows a decode of ${framing.framing.kind} frames that calls ${way}`, async (t) => {
      const conns: Conn[] = []
      const ended = gate()
      const server = await start(t, {
        codec: {
          ...framing,
          decode(from) {
            conns[0]?.[way]()
            return from.bytes(from.remaining)
          },
        },
        open: (conn) => void conns.push(conn),
        message: () => t.fail(),
        close: () => ended.open(),
      })
      const socket = await connect(server.port)
      socket.on('error', () => {})
      socket.end('one\ntwo\n')
      await ended.passed
      t.pass()
      socket.destroy()
    })
  }
}
