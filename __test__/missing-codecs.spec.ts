import test from 'ava'
import {
  bind,
  type Codec,
  type CodedError,
  defineCodec,
  connect as dialTo,
  encodeWith,
  json,
  lengthField,
  line,
  listener,
  MillraceError,
  map,
  raw,
  serve,
  testCodec,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { bound, portOf } from './support/datagrams.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { ANY, LOOPS, start } from './support/serve.js'

const NO_DATA = [{}, { id: 1 }, 5, true, null, undefined, 1n, Symbol('text'), () => 'text']
const NO_PARTS = [[{}], ['text', 5], [['text']], [Buffer.from('text'), null]]

test('without a codec, writing what is neither text nor bytes is refused with a hint at one', async (t) => {
  const got = gate<string>()
  const refuses = (write: (message: never) => unknown) => {
    for (const message of [...NO_DATA, ...NO_PARTS]) {
      const error = t.throws(() => write(message as never))
      t.true(error instanceof MillraceError)
      t.is(codeOf(error), 'ERR_INVALID_OPTION')
      t.regex(error?.message ?? '', /option codec, such as json\(line\(\)\)/)
    }
  }
  const server = await start(t, {
    open(conn) {
      refuses((message) => conn.write(message))
      // `end()` has no message.
      refuses((message) => (message === undefined ? conn.write(message) : conn.end(message)))
      refuses((message) => server.broadcast(message))
      t.is(conn.readyState, 'open')
      conn.write('sent')
    },
    async message(conn, chunk) {
      got.open(String(chunk))
      conn.end()
    },
  })
  const conn = await dial(t, { to: server.addresses[0] as string })
  refuses((message) => conn.write(message))
  conn.write('back')
  t.is(await got.passed, 'back')
  const chunks: Buffer[] = []
  for await (const chunk of conn) chunks.push(chunk)
  t.is(Buffer.concat(chunks).toString(), 'sent')
  for (const codec of [raw(), line(), lengthField()]) {
    refuses((message) => encodeWith(codec, message))
  }
  const socket = await bound(t, {})
  refuses((message) => socket.send(message, `127.0.0.1:${portOf(socket.address)}`))
  t.is(socket.stats().sent, 0)
})

test('a handler that writes an object without a codec is reported, not passed over', async (t) => {
  const failed = gate<CodedError>()
  const server = await start(t, {
    open: (conn) => void conn.write({ id: 1 } as never),
    error: (error) => failed.open(error),
  })
  t.is((await readAll(await connect(server.port))).length, 0)
  t.is(codeOf(await failed.passed), 'ERR_INVALID_OPTION')
})

/** Codecs that lack something, and what the error has to name. */
const LACKING: [codec: unknown, lacks: RegExp][] = [
  [{ ...line(), decode: undefined }, /lacks a function decode$/],
  [{ ...line(), encode: undefined }, /lacks a function encode$/],
  [{ ...line(), decode: 'text' }, /lacks a function decode$/],
  [{ framing: line().framing }, /lacks a function decode and a function encode$/],
  [{ ...line(), framing: undefined }, /lacks a framing, such as line\(\)$/],
  [{ ...line(), framing: line }, /lacks a framing/],
  [{ ...line(), framing: {} }, /lacks a framing/],
  [{}, /lacks a framing, such as line\(\) and a function decode and a function encode$/],
]

const keep = (message: unknown) => message

/** Everything that takes a codec. */
const TAKERS: Record<string, (codec: never) => unknown> = {
  serve: (codec) => serve({ listen: ANY, loops: LOOPS, codec }),
  'serve with a codec for each connection': (codec) =>
    serve({ listen: ANY, loops: LOOPS, codec: () => codec }),
  'serve with a codec of a listener': (codec) =>
    serve({ listen: [listener({ ...{ port: 0, host: '127.0.0.1' }, codec })], loops: LOOPS }),
  connect: (codec) => dialTo({ to: 'tcp://127.0.0.1:9', loops: LOOPS, codec }),
  'connect with reconnect': (codec) =>
    dialTo({ to: 'tcp://127.0.0.1:9', loops: LOOPS, codec, reconnect: true }),
  bind: (codec) => bind({ address: 'udp://127.0.0.1:0', loops: LOOPS, codec }),
  defineCodec,
  map: (codec) => map(codec, keep, keep as never),
  encodeWith: (codec) => encodeWith(codec, 'text' as never),
  testCodec: (codec) => testCodec(codec, 'text'),
}

for (const [name, take] of Object.entries(TAKERS)) {
  test(`a codec that lacks something is refused with what it lacks: ${name}`, async (t) => {
    for (const [codec, message] of LACKING) {
      await t.throwsAsync(async () => take(codec as never), {
        instanceOf: MillraceError,
        code: 'ERR_INVALID_OPTION',
        message,
      })
    }
  })
}

test('an assigned codec that lacks something is refused with what it lacks', async (t) => {
  const server = await start(t, {
    open(conn) {
      for (const [codec, message] of LACKING) {
        t.throws(
          () => {
            conn.codec = { ...(codec as object) } as Codec<Buffer>
          },
          { code: 'ERR_INVALID_OPTION', message },
        )
      }
      conn.end()
    },
  })
  await readAll(await connect(server.port))
})

test('json without a framing is refused with an example of one', async (t) => {
  const expected = {
    code: 'ERR_INVALID_OPTION',
    message: /json needs a framing, as in json\(line\(\)\)/,
  }
  for (const bad of [undefined, null, 'line', line, json, {}, { framing: {} }, { kind: 'line' }]) {
    t.throws(() => json(bad as never), expected)
  }
  // Given as a function that makes codecs, it is called with a peer.
  await t.throwsAsync(serve({ listen: ANY, loops: LOOPS, codec: json as never }), expected)
})
