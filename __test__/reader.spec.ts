import test, { type ExecutionContext } from 'ava'
import { type Codec, lengthField, line, type Reader, raw, testCodec } from 'millrace'
import { connect } from './support/client.js'
import { codeOf, gate, tally } from './support/gate.js'
import { start } from './support/serve.js'

const BYTES = Buffer.from('80ff7f01c0490fdb40490fdb54442d18deadbeefcafe', 'hex')

/** Passes one frame to `by` on a real connection. Returns or throws what `by` returned or threw. */
async function look<T>(t: ExecutionContext, bytes: Buffer, by: (from: Reader) => T): Promise<T> {
  const done = gate<T>()
  const failed = gate<Error | undefined>()
  const codec: Codec<T, never> = {
    framing: lengthField({ bytes: 2 }),
    decode: (from) => {
      const result = by(from)
      from.skip(from.remaining)
      done.open(result)
      return result
    },
    encode() {},
  }
  const server = await start<T, never>(t, {
    codec,
    message() {},
    close: (_, error) => failed.open(error),
  })
  const socket = await connect(server.port)
  socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
  const outcome = await Promise.race([
    done.passed.then((value) => ({ value })),
    failed.passed.then((error) => ({ error })),
  ])
  socket.destroy()
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

type Numbers = Exclude<
  keyof Reader,
  | 'remaining'
  | 'peek'
  | 'indexOf'
  | 'startsWith'
  | 'bytes'
  | 'copy'
  | 'text'
  | 'skip'
  | 'discard'
  | 'frame'
>

/** Each number type, and Node's own reading of it. */
const NUMBERS: Record<Numbers, [size: number, read: (at: number) => number | bigint]> = {
  u8: [1, (at) => BYTES.readUInt8(at)],
  i8: [1, (at) => BYTES.readInt8(at)],
  u16: [2, (at) => BYTES.readUInt16BE(at)],
  u16le: [2, (at) => BYTES.readUInt16LE(at)],
  i16: [2, (at) => BYTES.readInt16BE(at)],
  i16le: [2, (at) => BYTES.readInt16LE(at)],
  u32: [4, (at) => BYTES.readUInt32BE(at)],
  u32le: [4, (at) => BYTES.readUInt32LE(at)],
  i32: [4, (at) => BYTES.readInt32BE(at)],
  i32le: [4, (at) => BYTES.readInt32LE(at)],
  u64: [8, (at) => BYTES.readBigUInt64BE(at)],
  u64le: [8, (at) => BYTES.readBigUInt64LE(at)],
  i64: [8, (at) => BYTES.readBigInt64BE(at)],
  i64le: [8, (at) => BYTES.readBigInt64LE(at)],
  f32: [4, (at) => BYTES.readFloatBE(at)],
  f32le: [4, (at) => BYTES.readFloatLE(at)],
  f64: [8, (at) => BYTES.readDoubleBE(at)],
  f64le: [8, (at) => BYTES.readDoubleLE(at)],
}

test('every number type is read as in Node, and never past the end', async (t) => {
  for (const [name, [size, expected]] of Object.entries(NUMBERS) as [
    Numbers,
    (typeof NUMBERS)[Numbers],
  ][]) {
    const { got, left } = await look(t, BYTES, (from) => {
      const values: (number | bigint)[] = []
      while (from.remaining >= size) values.push(from[name]())
      return { got: values, left: from.remaining }
    })
    t.deepEqual(
      got,
      got.map((_, at) => expected(at * size)),
      name,
    )
    t.is(left, BYTES.length % size)
    await t.throwsAsync(
      look(t, BYTES.subarray(0, size - 1), (from) => from[name]()),
      { code: 'ERR_FRAME_INVALID' },
    )
  }
})

test('peek, indexOf, startsWith and skip stay within the frame', async (t) => {
  const text = Buffer.from('abcabc'.padEnd(200, 'x'))
  const seen = await look(t, text, (from) => {
    const before = [
      from.peek(),
      from.peek(2),
      from.indexOf(0x63),
      from.indexOf(0x63, 3),
      from.indexOf(0x7a),
    ]
    from.skip(1)
    const behind = [
      from.peek(),
      from.indexOf(0x61),
      from.indexOf(Buffer.from('bc')),
      from.indexOf(Buffer.from('bc'), 1),
    ]
    const starts = [
      from.startsWith(Buffer.from('bca')),
      from.startsWith(Buffer.from('abc')),
      from.startsWith(text),
    ]
    return {
      before,
      behind,
      starts,
      none: from.indexOf(Buffer.from('xx'), from.remaining),
      left: from.remaining,
    }
  })
  t.deepEqual(seen, {
    before: [0x61, 0x63, 2, 5, -1],
    behind: [0x62, 2, 0, 3],
    starts: [true, false, false],
    none: -1,
    left: 199,
  })
})

test('indexOf finds nothing in the next frame', async (t) => {
  const found: number[][] = []
  const done = gate()
  const codec: Codec<Buffer, string> = {
    ...line(),
    decode(from) {
      found.push([
        from.indexOf(0x7a),
        from.indexOf(Buffer.from('z')),
        from.indexOf(Buffer.from('ab')),
      ])
      return from.bytes(from.remaining)
    },
  }
  const server = await start<Buffer, string>(t, {
    codec,
    message: (_, text) => void (text.toString() === 'z' && done.open()),
  })
  const socket = await connect(server.port)
  socket.write(`xa\nbz${' '.repeat(100)}\nz\n`)
  await done.passed
  t.deepEqual(found, [
    [-1, -1, -1],
    [1, 1, -1],
    [0, 0, -1],
  ])
  socket.destroy()
})

test('lengths that reach past the end are refused', async (t) => {
  const uses: ((from: Reader, n: number) => unknown)[] = [
    (from, n) => from.bytes(n),
    (from, n) => from.copy(n),
    (from, n) => from.text(n),
    (from, n) => from.skip(n),
    (from, n) => from.peek(n),
    (from, n) => from.indexOf(1, n),
  ]
  for (const use of uses) {
    for (const n of [23, 2 ** 32, 2 ** 53]) {
      await t.throwsAsync(
        look(t, BYTES, (from) => use(from, n)),
        { code: 'ERR_FRAME_INVALID' },
        `${use} of ${n}`,
      )
    }
  }
})

test('text decodes every encoding', async (t) => {
  const bytes = Buffer.from('häßlich 水 🌊')
  for (const encoding of [
    'utf8',
    'latin1',
    'ascii',
    'hex',
    'base64',
    'base64url',
    'utf16le',
  ] as const) {
    t.is(
      await look(t, bytes, (from) => from.text(bytes.length, encoding)),
      bytes.toString(encoding),
      encoding,
    )
  }
  t.is(await look(t, bytes, (from) => from.text(from.remaining)), bytes.toString())
})

test('bytes returns Buffers like those of Node, of any length', async (t) => {
  for (const length of [0, 1, 22]) {
    const bytes = await look(t, BYTES, (from) => from.bytes(length))
    t.true(Buffer.isBuffer(bytes))
    t.is(Object.getPrototypeOf(bytes), Buffer.prototype)
    t.deepEqual(bytes, BYTES.subarray(0, length))
    t.is(bytes.toString('hex'), BYTES.toString('hex', 0, length))
  }
})

test('bytes returns its own memory, which can be kept and changed and is never overwritten', async (t) => {
  const count = 3000
  const all = tally<Buffer>(count)
  const server = await start<Buffer, string>(t, {
    codec: line(),
    message(_, bytes) {
      all.hit(bytes)
    },
  })
  const socket = await connect(server.port)
  const texts = Array.from({ length: count }, (_, at) => `${at} ${'x'.repeat((at * 37) % 900)}`)
  socket.write(`${texts.join('\n')}\n`)
  const kept = await all.all
  t.deepEqual(kept.map(String), texts)
  for (const [at, bytes] of kept.entries()) if (at % 2 === 0) bytes.fill('!')
  t.deepEqual(
    kept.map(String),
    texts.map((text, at) => (at % 2 === 0 ? '!'.repeat(text.length) : text)),
  )
  socket.destroy()
})

test('bytes returns the right bytes for every start and length', async (t) => {
  const frame = Buffer.from(Array.from({ length: 150 }, (_, at) => at))
  for (const from of [0, 1, 2, 3, 5, 8]) {
    for (const length of [0, 1, 2, 3, 4, 5, 63, 64, 125, 126, 127, 128, 129]) {
      const taken = await look(t, frame.subarray(0, from + length), (reader) => {
        reader.skip(from)
        return reader.bytes(length)
      })
      t.deepEqual(taken, frame.subarray(from, from + length))
    }
  }
})

test('a Reader kept after decode throws ERR_READER_STALE', async (t) => {
  for (const framing of [raw(), line()]) {
    const codes = tally<string | undefined>(2)
    let kept: Reader | undefined
    const server = await start<Reader, string>(t, {
      codec: {
        framing,
        decode(from) {
          from.skip(from.remaining)
          kept = from
          return from
        },
        encode() {},
      },
      message(_, from) {
        for (const use of [() => from.u8(), () => kept?.remaining]) {
          try {
            use()
          } catch (error) {
            codes.hit(codeOf(error))
          }
        }
      },
    })
    const socket = await connect(server.port)
    socket.write('a\n')
    t.deepEqual(await codes.all, ['ERR_READER_STALE', 'ERR_READER_STALE'])
    socket.destroy()
  }
  let stale: Reader | undefined
  const keep = (from: Reader) => {
    stale = from
    return from.bytes(from.remaining)
  }
  testCodec({ ...line(), decode: keep }, 'a\n')
  t.throws(() => stale?.u8(), { code: 'ERR_READER_STALE' })
})
