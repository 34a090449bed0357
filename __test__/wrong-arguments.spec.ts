import test, { type ExecutionContext } from 'ava'
import {
  type Codec,
  type CodedError,
  defineCodec,
  encodeWith,
  type FrameData,
  lengthField,
  type Reader,
  raw,
  testCodec,
  varint,
  type Writer,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { bound, portOf } from './support/datagrams.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

type Encode = (to: Writer) => unknown
type Decode = (from: Reader) => unknown

const WRITES: Codec<Buffer, Encode> = { ...varint(), encode: (encode, to) => void encode(to) }

/** The methods for integers, with the least and the most that each can write. */
const INTEGERS = [
  ...([8, 16, 32] as const).flatMap((bits) => {
    const names = bits === 8 ? [''] : ['', 'le']
    return names.flatMap((end) => [
      [`u${bits}${end}`, 0, 2 ** bits - 1],
      [`i${bits}${end}`, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1],
    ])
  }),
  ...['', 'le'].flatMap((end) => [
    [`u64${end}`, 0n, 2n ** 64n - 1n],
    [`i64${end}`, -(2n ** 63n), 2n ** 63n - 1n],
  ]),
] as [name: 'u8' | 'u64', least: number | bigint, most: number | bigint][]

const FLOATS = ['f32', 'f32le', 'f64', 'f64le'] as const

const fails = {
  valueOf() {
    throw new Error('asked for a number')
  },
}

/** Values that are no numbers, although most of them can be converted to one. */
const NO_NUMBERS = [undefined, null, '7', '', true, {}, [], [7], new Date(0), Symbol('7'), fails]

/** Calls with values of the wrong type, and with numbers that are out of range. */
function calls(): { types: Encode[]; ranges: Encode[] } {
  const types: Encode[] = []
  const ranges: Encode[] = []
  for (const [name, least, most] of INTEGERS) {
    const isBig = typeof least === 'bigint'
    for (const value of [...NO_NUMBERS, isBig ? 1 : 1n])
      types.push((to) => to[name](value as never))
    const step = isBig ? 1n : 1
    const outside: unknown[] = [
      (least as number) - (step as number),
      (most as number) + (step as number),
    ]
    if (isBig) outside.push(2n ** 70n, -(2n ** 70n))
    else outside.push(0.5, Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 60), 2 ** 60)
    for (const value of outside) ranges.push((to) => to[name](value as never))
  }
  for (const name of FLOATS) {
    for (const value of [...NO_NUMBERS, 1n]) types.push((to) => to[name](value as never))
  }
  return { types, ranges }
}

test('every method of a Writer refuses a value of the wrong type, and a number out of range', (t) => {
  const { types, ranges } = calls()
  for (const [encodes, instanceOf] of [
    [types, TypeError],
    [ranges, RangeError],
  ] as const) {
    for (const encode of encodes) {
      let at = -1
      const error = t.throws(() =>
        encodeWith(WRITES, (to) => {
          to.text('before')
          at = to.length
          try {
            encode(to)
          } finally {
            // Not a byte was reserved.
            t.is(to.length, at)
          }
        }),
      )
      t.is(error?.constructor, instanceOf, `${encode} ${error?.message}`)
    }
  }
})

test('a refused value is shown with its method and the range', (t) => {
  const message = (encode: Encode) => t.throws(() => encodeWith(WRITES, encode))?.message
  t.is(
    message((to) => to.u8(300)),
    'u8 takes a whole number from 0 to 255, not 300',
  )
  t.is(
    message((to) => to.i16le(-32_769)),
    'i16le takes a whole number from -32768 to 32767, not -32769',
  )
  t.is(
    message((to) => to.u64(-1n)),
    'u64 takes a bigint from 0 to 18446744073709551615, not -1n',
  )
  t.is(
    message((to) => to.f32('7' as never)),
    'f32 takes a number, not "7"',
  )
})

test('every number that fits is written', (t) => {
  for (const [name, least, most] of INTEGERS) {
    const codec: Codec<unknown, Encode> = {
      ...WRITES,
      decode: (from) => [from[name](), from[name]()],
    }
    const bytes = encodeWith(codec, (to) => to[name](least as never)[name](most as never))
    t.deepEqual(testCodec(codec, bytes).messages, [[least, most]], name)
  }
  t.deepEqual(
    encodeWith(WRITES, (to) => to.u8(-0).u16(-0).u32(-0).i32(-0)),
    Buffer.of(11, ...Array(11).fill(0)),
  )
  for (const name of FLOATS) {
    const codec: Codec<unknown, Encode> = { ...WRITES, decode: (from) => from[name]() }
    for (const value of [0.5, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.deepEqual(
        testCodec(
          codec,
          encodeWith(codec, (to) => to[name](value)),
        ).messages,
        [value],
      )
    }
  }
})

test('nothing of a message with a refused value is sent, and the connection goes on', async (t) => {
  const refused = [...calls().types, ...calls().ranges]
  const got = gate<string[]>()
  const texts: string[] = []
  const talk = (conn: { write(message: Encode): boolean; end(): void }) => {
    for (const encode of refused) {
      conn.write((to) => to.text('a'))
      t.throws(() => conn.write((to) => encode(to.text('lost'))))
    }
    // So long that it is not encoded in the ring.
    t.throws(() => conn.write((to) => to.bytes(Buffer.alloc(3 << 20)).u8(256)), {
      instanceOf: RangeError,
    })
    conn.end()
  }
  const server = await start<Buffer, Encode>(t, {
    codec: WRITES,
    open(conn) {
      t.throws(() => server.broadcast((to) => to.text('lost').u8(256)), { instanceOf: RangeError })
      talk(conn)
    },
    message: (_, text) => void texts.push(String(text)),
    close: () => got.open(texts),
  })
  const conn = await dial<Buffer, Encode>(t, { to: server.addresses[0] as string, codec: WRITES })
  talk(conn)
  const answers: string[] = []
  for await (const text of conn) answers.push(String(text))
  const expected = refused.map(() => 'a')
  t.deepEqual(answers, expected)
  t.deepEqual(await got.passed, expected)
})

test('nothing of a datagram with a refused value is sent', async (t) => {
  const got = gate<string>()
  const codec: Codec<Buffer, Encode> = { ...raw(), encode: (encode, to) => void encode(to) }
  const socket = await bound<Buffer, Encode>(t, {
    codec,
    message: (_, bytes) => got.open(String(bytes)),
  })
  const to = `127.0.0.1:${portOf(socket.address)}`
  t.throws(() => socket.send((writer) => writer.text('lost').u16(-1), to), {
    instanceOf: RangeError,
  })
  socket.send((writer) => writer.text('fits').u8(33), to)
  t.is(await got.passed, 'fits!')
  t.is(socket.stats().sent, 1)
})

test('a length that does not fit its field is refused instead of cutting a name', (t) => {
  const codec = defineCodec({
    framing: lengthField({ bytes: 2 }),
    decode: (from) => ({ name: from.text(from.u8()), body: from.text(from.remaining) }),
    encode: ({ name, body }, to) => to.u8(Buffer.byteLength(name)).text(name).text(body),
  })
  const send = (length: number) => encodeWith(codec, { name: 'n'.repeat(length), body: 'body' })
  t.is(testCodec(codec, send(255)).messages[0]?.body, 'body')
  t.throws(() => send(300), { instanceOf: RangeError })
})

/** Calls of a Reader with what no length, place or needle can be, and the class of their error. */
const MISREADS: [Decode, typeof TypeError | typeof RangeError][] = [
  ...([Number.NaN, 1.5, Number.POSITIVE_INFINITY] as unknown[]).map(
    (n) => [n, RangeError] as const,
  ),
  ...['1', null, true, {}].map((n) => [n, TypeError] as const),
].flatMap(([n, instanceOf]): [Decode, typeof instanceOf][] => [
  [(from) => from.bytes(n as number), instanceOf],
  [(from) => from.text(n as number), instanceOf],
  [(from) => from.skip(n as number), instanceOf],
  [(from) => from.peek(n as number), instanceOf],
  [(from) => from.indexOf(1, n as number), instanceOf],
  [(from) => encodeWith(WRITES, (to) => to.copy(from, n as number)), instanceOf],
])
for (const needle of [300, -1, 1.5, Number.NaN]) {
  MISREADS.push([(from) => from.indexOf(needle), RangeError])
}
for (const needle of ['e', undefined, null, [101], {}] as never[]) {
  MISREADS.push([(from) => from.indexOf(needle), TypeError])
  MISREADS.push([(from) => from.startsWith(needle), TypeError])
}
MISREADS.push(
  [(from) => from.bytes(undefined as never), TypeError],
  [(from) => from.skip(undefined as never), TypeError],
)

test('every method of a Reader refuses what is no length, no place and no needle', (t) => {
  // Short enough to be searched by a loop, and too long for that.
  for (const length of [10, 1000]) {
    const stream = encodeWith(varint(), ','.repeat(length))
    for (const [decode, instanceOf] of MISREADS) {
      const codec: Codec<unknown> = { ...varint(), decode, encode() {} }
      const { messages, error } = testCodec(codec, stream)
      t.deepEqual(messages, [])
      t.is(error?.constructor, instanceOf, `${decode} ${error?.message}`)
    }
    for (const past of [length + 1, 2 ** 32, 2 ** 53, -1, -(2 ** 32)]) {
      const codec: Codec<unknown> = { ...varint(), decode: (from) => from.text(past), encode() {} }
      t.is(codeOf(testCodec(codec, stream).error), 'ERR_FRAME_INVALID')
    }
  }
})

/** Serves a codec that calls its reader wrongly, and returns the error that reaches a handler of this name. */
async function failed(
  t: ExecutionContext,
  pulls: boolean,
  handler: 'close' | 'error',
): Promise<CodedError | undefined> {
  const ended = gate<CodedError | undefined>()
  const server = await start<unknown, FrameData>(t, {
    codec: { ...varint(), decode: (from) => from.skip(0.5) },
    ...(pulls
      ? {
          async open(conn) {
            for await (const _ of conn) t.fail()
          },
        }
      : { message: () => t.fail() }),
    ...(handler === 'close'
      ? { close: (_, error) => ended.open(error) }
      : { error: (error) => ended.open(error) }),
  })
  const socket = await connect(server.port)
  socket.write(encodeWith(varint(), 'text'))
  t.is((await readAll(socket)).length, 0)
  return ended.passed
}

for (const pulls of [false, true]) {
  for (const handler of ['close', 'error'] as const) {
    test(`a wrong length in decode is reported as a mistake of the codec (${pulls ? 'pulled' : 'pushed'}, ${handler})`, async (t) => {
      const error = await failed(t, pulls, handler)
      t.is(error?.constructor, RangeError)
      t.regex(error?.message ?? '', /0\.5/)
    })
  }
}
