import test from 'ava'
import {
  type Codec,
  defineCodec,
  encodeWith,
  fixed,
  json,
  lengthField,
  line,
  raw,
  testCodec,
  type Writer,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { FRAMINGS } from './support/framings.js'
import { codeOf } from './support/gate.js'
import { start } from './support/serve.js'

for (const framing of FRAMINGS) {
  test(`encodeWith gives the bytes that a connection sends: ${framing.name}`, async (t) => {
    const codec = framing.codec(1 << 20)
    const body = Buffer.alloc(framing.size ?? Math.min(framing.most, 200), 'x')
    // A codec that keeps the header on the way in also writes the header on the way out.
    const message = framing.kept === 'header' ? framing.wire(body) : body
    const server = await start<Buffer, Uint8Array | string>(t, {
      codec,
      open: (conn) => conn.end(message),
    })
    const sent = await readAll(await connect(server.port))
    t.deepEqual(encodeWith(codec, message), sent)
  })
}

test('what encodeWith makes, testCodec reads', (t) => {
  const codec = json<{ id: number }>(lengthField({ bytes: 2 }))
  const bytes = Buffer.concat([encodeWith(codec, { id: 1 }), encodeWith(codec, { id: 2 })])
  const { messages, error } = testCodec(codec, bytes, { splits: 'each' })
  t.deepEqual(messages, [{ id: 1 }, { id: 2 }])
  t.is(error, undefined)
})

test('a frame over max is refused with its size and the limit', (t) => {
  const refused = (codec: Codec<Buffer, string | Uint8Array>, size: number, limit: number) => {
    const error = t.throws(() => encodeWith(codec, 'x'.repeat(size)))
    t.is(codeOf(error), 'ERR_FRAME_TOO_LARGE')
    t.true(error?.message.includes(`${size}`), error?.message)
    t.true(error?.message.includes(`${limit}`), error?.message)
  }
  refused(lengthField({ max: 10 }), 11, 10)
  refused(line({ max: 10 }), 12, 10)
  const { error } = testCodec(line({ max: 10 }), `${'x'.repeat(12)}\n`)
  t.is(codeOf(error), 'ERR_FRAME_TOO_LARGE')
  t.true(error?.message.includes('10'), error?.message)
})

test('encodeWith throws what write would throw', (t) => {
  const mine = new Error('mine')
  const codec = (encode: (message: string, to: Writer) => void) =>
    defineCodec({ framing: line(), decode: (from) => from.text(from.remaining), encode })
  const thrown = t.throws(() =>
    encodeWith(
      codec(() => {
        throw mine
      }),
      'a',
    ),
  )
  t.is(thrown, mine)
  t.is(
    codeOf(
      t.throws(() =>
        encodeWith(
          codec(async () => {}),
          'a',
        ),
      ),
    ),
    'ERR_ENCODE_ASYNC',
  )
  t.is(codeOf(t.throws(() => encodeWith(line(), 'a\nb'))), 'ERR_FRAME_INVALID')
  t.is(codeOf(t.throws(() => encodeWith(fixed(2), 'a'))), 'ERR_FRAME_INVALID')
  let kept: Writer | undefined
  encodeWith(
    codec((_, to) => {
      kept = to
    }),
    'a',
  )
  t.is(codeOf(t.throws(() => kept?.u8(1))), 'ERR_WRITER_STALE')
})

test('encodeWith and testCodec refuse what is not a codec, and bad arguments', (t) => {
  const refused = (call: () => unknown) => t.is(codeOf(t.throws(call)), 'ERR_INVALID_OPTION')
  for (const codec of [undefined, null, {}, { framing: raw() }, { ...raw(), decode: 1 }]) {
    refused(() => encodeWith(codec as never, 'a' as never))
    refused(() => testCodec(codec as never, 'a'))
  }
  const broken = { ...line(), framing: { kind: 'line', max: -1 } }
  refused(() => encodeWith(broken as never, 'a' as never))
  refused(() => testCodec(broken as never, 'a'))
  refused(() => testCodec(line(), 1 as never))
  refused(() => testCodec(line(), 'a', { split: 'each' } as never))
  refused(() => testCodec(line(), 'a', { splits: 'all' } as never))
})
