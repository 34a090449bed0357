import test from 'ava'
import {
  type Codec,
  encodeWith,
  type FrameData,
  line,
  testCodec,
  type VarintOptions,
  varint,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { random, SEED } from './support/random.js'
import { start } from './support/serve.js'

function varintOf(value: number, padding = 0): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  if (padding === 0) return [...bytes, rest]
  // A varint may be written in more bytes than it needs.
  return [...bytes, rest | 128, ...Array(padding - 1).fill(128), 0]
}

/** A frame with `offset` bytes before its varint. */
function frameOf(offset: number, body: number, padding = 0): Buffer {
  return Buffer.from([
    ...Array(offset).fill(0xee),
    ...varintOf(body, padding),
    ...Array.from({ length: body }, (_, at) => at & 255),
  ])
}

/** What `decode` gets of that frame. */
function seen({ strip }: VarintOptions, frame: Buffer, body: number): Buffer {
  return strip === undefined ? frame.subarray(frame.length - body) : frame.subarray(strip)
}

const OPTIONS: VarintOptions[] = [
  { offset: 1, strip: 0 },
  { offset: 1 },
  { offset: 7 },
  { offset: 3, strip: 4 },
  { offset: 3, strip: 2 },
  { strip: 0 },
  { strip: 1 },
]

for (const options of OPTIONS) {
  const name = JSON.stringify(options)
  test(`frames of varint(${name}) are the same however the stream is cut, and can be written`, (t) => {
    const { offset = 0 } = options
    const codec = varint(options)
    const draw = random(offset)
    for (let round = 0; round < 100; round++) {
      const frames = Array.from({ length: draw.whole(1, 8) }, () => {
        const body = draw.one([0, 1, 2, 127, 128, 129, draw.whole(0, 400)])
        return { body, bytes: frameOf(offset, body, draw.whole(0, 2)) }
      })
      const stream = Buffer.concat(frames.map(({ bytes }) => bytes))
      const splits = Array.from({ length: draw.whole(0, 20) }, () => draw.whole(0, stream.length))
      for (const cut of [splits, 'each'] as const) {
        const { messages, error } = testCodec(codec, stream, { splits: cut })
        t.is(error, undefined, `seed ${SEED}`)
        t.deepEqual(
          messages,
          frames.map(({ body, bytes }) => seen(options, bytes, body)),
          `seed ${SEED}`,
        )
      }
      // `encode` writes whole frames, in one part or in several.
      for (const { bytes } of frames) {
        const at = draw.whole(0, bytes.length)
        t.deepEqual(encodeWith(codec, bytes), bytes)
        t.deepEqual(encodeWith(codec, [bytes.subarray(0, at), bytes.subarray(at)]), bytes)
      }
    }
  })

  test(`write refuses what varint(${name}) would cut elsewhere`, async (t) => {
    const { offset = 0, strip } = options
    const codec = varint({ ...options, max: 200 })
    const whole = frameOf(offset, 5)
    const most = frameOf(offset, strip === undefined ? 200 : 200 - offset - 2 + strip)
    const refused: [Buffer, string][] = [
      [Buffer.alloc(0), 'ERR_FRAME_INVALID'],
      [whole.subarray(0, offset), 'ERR_FRAME_INVALID'],
      [whole.subarray(0, -1), 'ERR_FRAME_INVALID'],
      [Buffer.concat([whole, Buffer.of(0)]), 'ERR_FRAME_INVALID'],
      [Buffer.concat([whole, whole]), 'ERR_FRAME_INVALID'],
      [Buffer.from([...Array(offset).fill(0), 0x80]), 'ERR_FRAME_INVALID'],
      [Buffer.from([...Array(offset).fill(0), ...varintOf(1, 5), 7]), 'ERR_FRAME_INVALID'],
      [frameOf(offset, most.length - offset - 1), 'ERR_FRAME_TOO_LARGE'],
    ]
    const server = await start<Buffer, FrameData>(t, {
      codec,
      open(conn) {
        for (const [bytes, code] of refused) {
          t.throws(() => conn.write(bytes), { code }, bytes.toString('hex'))
          t.throws(() => server.broadcast([bytes]), { code })
          t.throws(() => encodeWith(codec, bytes), { code })
        }
        conn.write(whole)
        conn.end(most)
      },
    })
    t.deepEqual(await readAll(await connect(server.port)), Buffer.concat([whole, most]))
    t.deepEqual(testCodec(codec, most).messages.length, 1)
    const over = testCodec(codec, refused.at(-1)?.[0] as Buffer)
    t.is(codeOf(over.error), 'ERR_FRAME_TOO_LARGE')
  })
}

test('varint writes the header unless it has an offset or a strip', (t) => {
  t.deepEqual(encodeWith(varint(), 'text'), Buffer.from('\x04text'))
  t.deepEqual(encodeWith(varint({ offset: 0, strip: undefined }), 'text'), Buffer.from('\x04text'))
  t.deepEqual(encodeWith(varint({ strip: 1 }), '\x04text'), Buffer.from('\x04text'))
})

test('a header at an offset is refused before its body arrives', (t) => {
  const cases = [
    ['30ffffffff7f', 'ERR_FRAME_TOO_LARGE'],
    ['308080808080', 'ERR_FRAME_INVALID'],
    ['30ff', 'ERR_FRAME_INCOMPLETE'],
    ['30', 'ERR_FRAME_INCOMPLETE'],
    ['300261', 'ERR_FRAME_INCOMPLETE'],
  ] as const
  for (const [hex, code] of cases) {
    for (const splits of [[], 'each'] as const) {
      const { error } = testCodec(varint({ offset: 1, strip: 0 }), Buffer.from(hex, 'hex'), {
        splits,
      })
      t.is(codeOf(error), code, hex)
    }
  }
})

test('codecs of one connection each have to have the same offset and strip', async (t) => {
  const made: Codec<Buffer, FrameData>[] = [varint({ offset: 1 }), varint({ offset: 1, strip: 0 })]
  const closed = gate<string | undefined>()
  const server = await start<Buffer, FrameData>(t, {
    codec: () => made.shift() ?? line(),
    close: (_, error) => closed.open(codeOf(error)),
  })
  const socket = await connect(server.port)
  t.is(await closed.passed, 'ERR_INVALID_OPTION')
  socket.destroy()
})

/** MQTT's packets: a byte, the number of bytes after it and after itself, and these bytes. */
const packets: Codec<{ type: number; body: Buffer }> = {
  framing: varint({ offset: 1, strip: 0 }).framing,
  decode(from) {
    const type = from.u8()
    while (from.u8() >= 128);
    return { type, body: from.bytes(from.remaining) }
  },
  encode({ type, body }, to) {
    to.u8(type)
      .bytes(Buffer.from(varintOf(body.length)))
      .bytes(body)
  },
}

for (const kind of KINDS) {
  for (const pulls of [true, false]) {
    test(`packets of MQTT go both ways: ${kind}, ${pulls ? 'pulled' : 'pushed'}`, async (t) => {
      const server = await start<{ type: number; body: Buffer }, { type: number; body: Buffer }>(
        t,
        {
          listen: listenOn(t, kind),
          codec: packets,
          async open(conn) {
            if (pulls) for await (const packet of conn) conn.write(packet)
          },
          ...(pulls ? {} : { message: (conn, packet) => void conn.write(packet) }),
        },
      )
      const conn = await dial(t, { to: server.addresses[0] as string, codec: packets })
      const sent: { type: number; body: Buffer }[] = [0, 1, 127, 128, 16_383, 16_384, 70_000].map(
        (size, at) => ({
          type: at << 4,
          body: Buffer.alloc(size, at),
        }),
      )
      for (const packet of sent) conn.write(packet)
      conn.end()
      const got: typeof sent = []
      for await (const packet of conn) got.push(packet)
      t.deepEqual(got, sent)
    })
  }
}
