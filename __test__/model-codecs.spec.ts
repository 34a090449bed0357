/** Every framing against a plain parser: random messages, random garbage, cut anywhere. */

import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { type CodedError, type Conn, encodeWith, testCodec } from 'millrace'
import { connectHalfOpen, readHalf } from './support/client.js'
import { type FramingModel, MODELS, type Parsed } from './support/framing-models.js'
import { codeOf, gate } from './support/gate.js'
import { holds } from './support/model.js'
import { start } from './support/serve.js'

const cuts = fc.oneof(
  fc.constant<'each'>('each'),
  fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 20 }),
)
/** Bytes of which lengths are often small, and delimiters frequent. */
const byte = fc.oneof(fc.constantFrom(0, 1, 5, 10, 13, 46, 97), fc.integer({ min: 0, max: 255 }))
const garbage = fc.array(byte, { maxLength: 400 }).map((bytes) => Buffer.from(bytes))

/** A framing, and messages that it can send. */
function sending(name: string) {
  return (MODELS[name] as (typeof MODELS)[string]).chain((model) =>
    fc.record({ model: fc.constant(model), messages: fc.array(model.message, { maxLength: 8 }) }),
  )
}

/** A framing, and any bytes. */
function receiving(name: string) {
  return fc.record({ model: MODELS[name] as (typeof MODELS)[string], stream: garbage })
}

type Splits = readonly number[] | 'each'

/** Messages in a form that failures show, and in which the pieces of a raw stream are one. */
function shown(model: FramingModel, { messages, error }: Pick<Parsed, 'messages' | 'error'>) {
  const isRaw = model.codec.framing.kind === 'raw'
  const texts = messages.map((each) => each.toString('hex'))
  return { messages: isRaw ? [texts.join('')] : texts, error }
}

/** The pieces that the offsets cut a stream into. */
function pieces(stream: Buffer, splits: Splits): Buffer[] {
  const offsets = splits === 'each' ? [...stream.keys()] : [...splits].sort((a, b) => a - b)
  const edges = [0, ...offsets.map((each) => Math.min(each, stream.length)), stream.length]
  return edges
    .slice(1)
    .map((edge, at) => stream.subarray(edges[at], edge))
    .filter((piece) => piece.length > 0)
}

/** What a server sends back for each message: what it got, or the whole frame if it has to write that itself. */
function repliesOf(model: FramingModel, { messages, frames }: Parsed): Buffer[] {
  return model.isPlain ? messages : frames
}

/** A reply as it is on the wire; nothing if `write` refuses it. */
function encoded(model: FramingModel, reply: Buffer): Buffer {
  try {
    return encodeWith(model.codec, reply)
  } catch {
    return Buffer.alloc(0)
  }
}

/** Sends a stream in pieces and FIN to a server that replies to each message: what came of it on both sides. */
async function exchanged(
  t: ExecutionContext,
  model: FramingModel,
  stream: Buffer,
  splits: Splits,
  isPulled: boolean,
) {
  const replies = repliesOf(model, model.parse(stream))
  const messages: Buffer[] = []
  const closed = gate<CodedError | undefined>()
  const take = (conn: Conn, message: Buffer) => {
    const reply = model.codec.framing.kind === 'raw' ? message : replies[messages.length]
    messages.push(message)
    try {
      conn.write(reply as Buffer)
    } catch {}
  }
  const server = await start<Buffer, Uint8Array | string>(t, {
    codec: model.codec,
    close: (_conn, error) => closed.open(error),
    ...(isPulled
      ? {
          async open(conn) {
            for await (const message of conn) take(conn, message)
          },
        }
      : { message: take }),
  })
  const socket = await connectHalfOpen(server.port)
  const answer = readHalf(socket)
  for (const piece of pieces(stream, splits)) {
    if (!socket.writable) break
    await new Promise((resolve) => socket.write(piece, resolve))
  }
  socket.end()
  const result = { back: (await answer).toString('hex'), error: codeOf(await closed.passed) }
  await server.close({ timeout: 0 })
  return { messages, ...result }
}

/** What has to come of {@link exchanged}. */
function expected(model: FramingModel, stream: Buffer) {
  const parsed = model.parse(stream)
  const back = repliesOf(model, parsed).map((reply) => encoded(model, reply))
  return { ...shown(model, parsed), back: Buffer.concat(back).toString('hex') }
}

for (const name of Object.keys(MODELS)) {
  test(`${name}: what is encoded decodes to the same messages, cut anywhere`, async (t) => {
    const property = fc.property(sending(name), cuts, ({ model, messages }, splits) => {
      const frames = messages.map((message) => encodeWith(model.codec, message))
      assert.deepEqual(frames, messages.map(model.wire))
      const stream = Buffer.concat(frames)
      const parsed = model.parse(stream)
      if (model.isPlain && name !== 'raw') assert.deepEqual(parsed.messages, messages)
      const result = testCodec(model.codec, stream, { splits })
      assert.deepEqual(
        shown(model, { ...result, error: codeOf(result.error) }),
        shown(model, parsed),
      )
      assert.equal(result.error, undefined)
    })
    await t.notThrowsAsync(holds(property, 200))
  })

  test(`${name}: garbage gives the messages before it and one error, cut anywhere`, async (t) => {
    const property = fc.property(receiving(name), cuts, ({ model, stream }, splits) => {
      const result = testCodec(model.codec, stream, { splits })
      const parsed = { ...result, error: codeOf(result.error) }
      assert.deepEqual(shown(model, parsed), shown(model, model.parse(stream)))
    })
    await t.notThrowsAsync(holds(property, 400))
  })

  test(`${name}: a socket carries messages and garbage as the model says, both ways`, async (t) => {
    const property = fc.asyncProperty(
      sending(name),
      garbage,
      cuts,
      fc.boolean(),
      async ({ model, messages }, end, splits, isPulled) => {
        const stream = Buffer.concat([...messages.map(model.wire), end])
        const { messages: got, error, back } = await exchanged(t, model, stream, splits, isPulled)
        const result = { ...shown(model, { messages: got, error }), back }
        assert.deepEqual(result, expected(model, stream))
      },
    )
    await t.notThrowsAsync(holds(property, 15))
  })
}
