import test from 'ava'
import { type Codec, lengthField, raw, testCodec, type Writer } from 'millrace'
import { connect, readAll } from './support/client.js'
import { start } from './support/serve.js'

type Encode = (to: Writer) => unknown

/** The bytes that these `encode` functions write to one real connection, without framing. */
async function written(
  t: Parameters<typeof start>[0],
  encodes: Encode[],
  ringBytes?: number,
): Promise<Buffer> {
  const codec: Codec<Buffer, Encode> = {
    ...raw(),
    encode: (encode, to) => void encode(to),
  }
  const server = await start<Buffer, Encode>(t, {
    ...(ringBytes === undefined ? {} : { loops: 1, ringBytes }),
    codec,
    maxWriteBuffer: 1 << 28,
    open(conn) {
      for (const encode of encodes) conn.write(encode)
      conn.end()
    },
  })
  return readAll(await connect(server.port))
}

/** The same value written by Node. */
function nodeBytes(size: number, write: (into: Buffer) => unknown): Buffer {
  const into = Buffer.alloc(size)
  write(into)
  return into
}

const big = 0xdead_beef_cafe_f00dn
const negative = -0x1234_5678_9abc_def0n

/** Calls of each method, with the bytes that they must write. */
const METHODS: [Encode, Buffer][] = [
  [(to) => to.u8(200), Buffer.of(200)],
  [(to) => to.i8(-2), Buffer.of(254)],
  [(to) => to.u16(0xabcd), nodeBytes(2, (into) => into.writeUInt16BE(0xabcd))],
  [(to) => to.u16le(0xabcd), nodeBytes(2, (into) => into.writeUInt16LE(0xabcd))],
  [(to) => to.i16(-3), nodeBytes(2, (into) => into.writeInt16BE(-3))],
  [(to) => to.i16le(-3), nodeBytes(2, (into) => into.writeInt16LE(-3))],
  [(to) => to.u32(0xdeadbeef), nodeBytes(4, (into) => into.writeUInt32BE(0xdeadbeef))],
  [(to) => to.u32le(0xdeadbeef), nodeBytes(4, (into) => into.writeUInt32LE(0xdeadbeef))],
  [(to) => to.i32(-70_000), nodeBytes(4, (into) => into.writeInt32BE(-70_000))],
  [(to) => to.i32le(-70_000), nodeBytes(4, (into) => into.writeInt32LE(-70_000))],
  [(to) => to.u64(big), nodeBytes(8, (into) => into.writeBigUInt64BE(big))],
  [(to) => to.u64le(big), nodeBytes(8, (into) => into.writeBigUInt64LE(big))],
  [(to) => to.i64(negative), nodeBytes(8, (into) => into.writeBigInt64BE(negative))],
  [(to) => to.i64le(negative), nodeBytes(8, (into) => into.writeBigInt64LE(negative))],
  [(to) => to.f32(Math.PI), nodeBytes(4, (into) => into.writeFloatBE(Math.PI))],
  [(to) => to.f32le(Math.PI), nodeBytes(4, (into) => into.writeFloatLE(Math.PI))],
  [(to) => to.f64(-Math.E), nodeBytes(8, (into) => into.writeDoubleBE(-Math.E))],
  [(to) => to.f64le(-Math.E), nodeBytes(8, (into) => into.writeDoubleLE(-Math.E))],
  [(to) => to.bytes(Uint8Array.of(1, 2, 3)), Buffer.of(1, 2, 3)],
  [(to) => to.bytes(Buffer.alloc(1000, 'y')), Buffer.alloc(1000, 'y')],
  [(to) => to.bytes(new Uint8Array(0)), Buffer.alloc(0)],
  [(to) => to.text('short'), Buffer.from('short')],
  [(to) => to.text('hä 水 🌊'), Buffer.from('hä 水 🌊')],
  [(to) => to.text('é', 'latin1'), Buffer.from('é', 'latin1')],
  [(to) => to.text('0aff', 'hex'), Buffer.from('0aff', 'hex')],
  [(to) => to.text('aGk=', 'base64'), Buffer.from('hi')],
  [(to) => to.text('hi', 'utf16le'), Buffer.from('hi', 'utf16le')],
  [(to) => to.text('a long text '.repeat(100)), Buffer.from('a long text '.repeat(100))],
  [(to) => to.text('lång '.repeat(100), 'latin1'), Buffer.from('lång '.repeat(100), 'latin1')],
  [(to) => to.text(''), Buffer.alloc(0)],
]

test('every method writes the same bytes as Node', async (t) => {
  for (const [encode, expected] of METHODS)
    t.deepEqual(await written(t, [encode]), expected, `${encode}`)
})

test('every method writes whole values across the end of the ring, at many positions', async (t) => {
  // All methods in a row, shifted by one byte each time, in a ring of 4 KiB: each method meets each edge.
  const encodes: Encode[] = []
  const expected: Buffer[] = []
  for (let shift = 0; shift < 600; shift++) {
    const padding = Buffer.alloc(shift, 'p')
    encodes.push((to) => {
      to.bytes(padding)
      for (const [encode] of METHODS) encode(to)
    })
    expected.push(padding, ...METHODS.map(([, bytes]) => bytes))
  }
  t.true((await written(t, encodes, 4096)).equals(Buffer.concat(expected)))
})

test('a message grows as needed, and length counts the bytes of encode', async (t) => {
  const sizes = [0, 1, 4000, 70_000, 300_000, 5_000_000]
  const lengths: number[] = []
  const codec: Codec<Buffer, number> = {
    ...lengthField({ max: 1 << 24 }),
    encode(size, to) {
      const piece = Buffer.alloc(997, 'z')
      while (to.length + piece.length <= size) to.bytes(piece)
      while (to.length < size) to.u8(0x7a)
      lengths.push(to.length)
    },
  }
  const server = await start<Buffer, number>(t, {
    codec,
    maxWriteBuffer: 1 << 28,
    open(conn) {
      for (const size of sizes) conn.write(size)
      conn.end()
    },
  })
  const got = await readAll(await connect(server.port))
  t.deepEqual(lengths, sizes)
  let at = 0
  for (const size of sizes) {
    t.is(got.readUInt32BE(at), size)
    t.true(got.subarray(at + 4, at + 4 + size).equals(Buffer.alloc(size, 'z')))
    at += 4 + size
  }
  t.is(at, got.length)
})

test('copy takes the next bytes of a reader', async (t) => {
  // A minimal proxy: decode writes replies whose encode copies from the reader.
  const pieces = [3, 0, 30, 70_000]
  const total = pieces.reduce((sum, size) => sum + size)
  const body = Buffer.from(Array.from({ length: total }, (_, at) => at % 253))
  const replies: Encode[] = []
  const codec: Codec<true, Encode> = {
    framing: lengthField(),
    decode(from) {
      // The reader is valid inside decode, and write copies at once.
      for (const size of pieces) replies.push((to) => to.copy(from, size))
      for (const reply of replies) conns.at(-1)?.write(reply)
      return true
    },
    encode: (encode, to) => void encode(to),
  }
  const conns: { write(message: Encode): boolean; end(): void }[] = []
  const server = await start<true, Encode>(t, {
    codec,
    open: (conn) => void conns.push(conn),
    message: (conn) => conn.end(),
  })
  const socket = await connect(server.port)
  const header = Buffer.alloc(4)
  header.writeUInt32BE(body.length)
  socket.write(Buffer.concat([header, body]))
  const got = await readAll(socket)
  const bodies: Buffer[] = []
  for (let at = 0; at < got.length; at += 4 + (bodies.at(-1)?.length ?? 0)) {
    bodies.push(got.subarray(at + 4, at + 4 + got.readUInt32BE(at)))
  }
  t.deepEqual(
    bodies.map((each) => each.length),
    pieces,
  )
  t.true(Buffer.concat(bodies).equals(body))
})

test('invalid hex or base64 text does not leak bytes of other messages', async (t) => {
  const secret = 's'.repeat(4096)
  const bytes = await written(t, [
    (to) => to.text(secret),
    (to) => to.text('61zz616161', 'hex').text('|'),
    (to) => to.text('YW\nFh====YWFh!!!!', 'base64').text('|'),
    (to) => to.text('zz', 'hex').text('|'),
  ])
  const expected = ['61zz616161', 'zz'].map((text) => Buffer.from(text, 'hex').toString())
  const base64 = Buffer.from('YW\nFh====YWFh!!!!', 'base64').toString()
  t.is(bytes.toString().slice(secret.length), `${expected[0]}|${base64}|${expected[1]}|`)
})

test('a value that is neither a Uint8Array nor a string is refused, and none of it is sent', async (t) => {
  const bad = [new ArrayBuffer(8), [1, 2, 3], 'text', 7, { length: -8 }, null, undefined]
  const refused: Encode[] = bad.flatMap((each): Encode[] => [
    (to) => to.u32(0).bytes(each as never),
    (to) => (typeof each === 'string' ? to.bytes(each as never) : to.u32(0).text(each as never)),
  ])
  const bytes = await written(t, [
    (to) => to.text('before'),
    ...refused.map(
      (encode): Encode =>
        (to) =>
          void t.throws(() => encode(to), { instanceOf: TypeError }),
    ),
    (to) => to.text('behind'),
  ])
  // The zeros were written before the refused value, by an `encode` that caught the error.
  t.is(bytes.toString().replaceAll('\0', ''), 'beforebehind')
})

test('a value that cannot be written is refused, and does not leak bytes of other messages', async (t) => {
  const numbers = ['u8', 'i8', 'u16', 'u16le', 'i16', 'i16le', 'u32', 'u32le'] as const
  const more = ['i32', 'i32le', 'f32', 'f32le', 'f64', 'f64le'] as const
  const bigints = ['u64', 'u64le', 'i64', 'i64le'] as const
  const fails = {
    valueOf() {
      throw new RangeError('no number')
    },
  }
  const refused: Encode[] = [
    ...[...numbers, ...more].flatMap((name) =>
      [1n, Symbol('1'), fails].map(
        (each): Encode =>
          (to) =>
            to[name](each as never),
      ),
    ),
    ...bigints.flatMap((name) =>
      [1, '1', fails, undefined].map(
        (each): Encode =>
          (to) =>
            to[name](each as never),
      ),
    ),
    (to) => to.text('a text that is longer than others', 'utf9' as never),
  ]
  const bytes = await written(t, [
    (to) => to.text('secret'.repeat(1000)),
    (to) => {
      to.text('before')
      for (const encode of refused) {
        const error = t.throws(() => encode(to), undefined, String(encode))
        t.true(error instanceof TypeError, String(encode))
      }
      to.text('behind')
    },
  ])
  t.is(bytes.toString().replaceAll('secret', ''), 'beforebehind')
})

test('a writer throws ERR_WRITER_STALE after its encode has returned or thrown', async (t) => {
  const kept: Writer[] = []
  const stale = () => {
    for (const to of kept) {
      t.throws(() => to.u8(0), { code: 'ERR_WRITER_STALE' })
      t.throws(() => to.text('late'), { code: 'ERR_WRITER_STALE' })
      t.throws(() => to.bytes(new Uint8Array()), { code: 'ERR_WRITER_STALE' })
    }
  }
  const codec: Codec<Buffer, Encode> = { ...raw(), encode: (encode, to) => void encode(to) }
  const server = await start<Buffer, Encode>(t, {
    codec,
    open(conn) {
      const keep = (to: Writer) => kept.push(to.text('x'))
      conn.write(keep)
      stale()
      t.throws(
        () =>
          conn.write((to) => {
            keep(to)
            throw new Error('from the handler')
          }),
        { message: 'from the handler' },
      )
      stale()
      // A write inside encode has its own writer.
      conn.write((to) => {
        conn.write(keep)
        t.throws(() => kept.at(-1)?.u8(0), { code: 'ERR_WRITER_STALE' })
        to.text('y')
      })
      stale()
      server.broadcast(keep)
      stale()
      conn.end()
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), 'xyxx')
})

for (const [what, said] of [
  ['shorter', 3],
  ['longer', 70_000],
  ['negative', -1],
  ['no number', Number.NaN],
] as const) {
  test(`bytes that say that they are ${what} are written as long as they are`, async (t) => {
    class Lying extends Uint8Array {
      override get length(): number {
        return said
      }
    }
    const server = await start<Buffer, Uint8Array>(t, {
      codec: lengthField({ bytes: 2 }),
      message(conn) {
        for (const size of [2, 20, 30, 5000]) {
          conn.write(Buffer.from('before'))
          conn.write(new Lying(Buffer.alloc(size, 0x61)))
          conn.write(Buffer.from('behind'))
        }
        conn.end()
      },
    })
    const socket = await connect(server.port)
    socket.write('\0\x01x')
    const { messages, error } = testCodec(lengthField({ bytes: 2 }), await readAll(socket))
    t.is(error, undefined)
    const wanted = [2, 20, 30, 5000].flatMap((size) => ['before', 'a'.repeat(size), 'behind'])
    t.deepEqual(messages.map(String), wanted)
  })
}
