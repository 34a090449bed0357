/** `from.discard(n)`: a raw codec drops bytes, also those that have not come yet. */

import test from 'ava'
import { type Codec, type Conn, lengthField, map, raw, testCodec } from 'millrace'
import { connectTo, sendPieces } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const MAX = 64

/** Bodies behind their length in four bytes. One over `MAX` is told and not kept, or not even told if it is huge. */
const bodies: Codec<string, string> = {
  framing: raw({ max: MAX + 4 }),
  decode(from) {
    if (from.remaining < 4) return undefined
    const length = from.u32()
    if (length > MAX) {
      from.discard(length)
      return length > 100_000 ? undefined : `over: ${length}`
    }
    return from.remaining < length ? undefined : from.text(length)
  },
  encode: (text, to) => void to.u32(text.length).text(text),
}

function wire(length: number): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(length)
  return Buffer.concat([header, Buffer.alloc(length, 0x61)])
}

const STREAM = Buffer.concat([wire(2), wire(500), wire(1), wire(200_000), wire(65), wire(3)])
const MESSAGES = ['aa', 'over: 500', 'a', 'over: 65', 'aaa']

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}`

    for (const [cut, name] of [
      [STREAM.length, 'all at once'],
      [97, 'in pieces'],
    ] as const) {
      test(`bytes that are discarded are dropped as they come: ${how}, ${name}`, async (t) => {
        const { messages, code } = await run(STREAM, cut)
        t.deepEqual(messages, MESSAGES)
        t.is(code, undefined)

        // Ends in the middle of the bytes that are dropped.
        const short = await run(STREAM.subarray(0, 400), cut)
        t.deepEqual(short.messages, ['aa', 'over: 500'])
        t.is(short.code, 'ERR_FRAME_INCOMPLETE')

        async function run(stream: Buffer, size: number) {
          const messages: string[] = []
          const ended = gate<string | undefined>()
          const server = await start<string, string>(t, {
            listen: listenOn(t, kind),
            codec: bodies,
            ...(isPulled
              ? {
                  async open(conn) {
                    for await (const message of conn) messages.push(message)
                  },
                }
              : { message: (_conn, message) => void messages.push(message) }),
            close: (_conn, error) => ended.open(codeOf(error)),
          })
          const socket = await connectTo(server.addresses[0])
          socket.resume()
          await sendPieces(socket, stream, size)
          socket.end()
          const code = await ended.passed
          socket.destroy()
          await server.close()
          return { messages, code }
        }
      })
    }
  }
}

test('a paused connection drops what is discarded when it goes on', async (t) => {
  const messages: string[] = []
  const ended = gate<string | undefined>()
  const server = await start<string, string>(t, {
    codec: bodies,
    message(conn, message) {
      messages.push(message)
      conn.pause()
      setImmediate(() => conn.resume())
    },
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connectTo(server.addresses[0])
  socket.end(STREAM)
  t.is(await ended.passed, undefined)
  t.deepEqual(messages, MESSAGES)
  socket.destroy()
})

test('testCodec drops what is discarded, however the stream is cut', (t) => {
  for (const options of [{}, { splits: 'each' }, { splits: [5, 7, 400] }] as const) {
    t.deepEqual(testCodec(bodies, STREAM, options), { messages: MESSAGES, error: undefined })
    const short = testCodec(bodies, STREAM.subarray(0, 300), options)
    t.deepEqual(short.messages, ['aa', 'over: 500'])
    t.is(codeOf(short.error), 'ERR_FRAME_INCOMPLETE')
  }
})

test('what was read stays read after a discard, and only after one', (t) => {
  const codec: Codec<string, string> = {
    framing: raw(),
    decode(from) {
      if (from.remaining < 3) return undefined
      const n = from.u8() - 0x30
      from.discard(n)
      return n === 0 ? from.text(2) : undefined
    },
    encode: () => {},
  }
  t.deepEqual(testCodec(codec, '1x0ab3xyz0cd', { splits: 'each' }).messages, ['ab', 'cd'])
})

test('discard with a framing of the loops stays inside the frame, and takes whole numbers only', (t) => {
  const past: Codec<number> = {
    framing: lengthField({ bytes: 1 }),
    decode(from) {
      from.discard(from.u8())
      return from.remaining
    },
    encode: () => {},
  }
  t.deepEqual(testCodec(past, Buffer.from([2, 1, 0])).messages, [0])
  t.is(codeOf(testCodec(past, Buffer.from([3, 9, 0, 0])).error), 'ERR_FRAME_INVALID')
  for (const [n, expected] of [
    [-1, /a length of -1/],
    [0.5, /whole numbers/],
    [Number.NaN, /whole numbers/],
    [2 ** 60, /past the end/],
  ] as const) {
    const codec: Codec<number> = { ...past, framing: raw(), decode: (from) => void from.discard(n) }
    const { error } = testCodec(codec, 'abc')
    t.regex(error?.message ?? '', expected)
  }
})

test('a message that is swallowed costs nothing of the next one, pulled in pieces', async (t) => {
  const words = map(
    bodies,
    (text) => (text === 'aa' ? undefined : text),
    (text: string) => text,
  )
  const messages: string[] = []
  const opened = gate<Conn>()
  const goes = gate()
  const ended = gate<string | undefined>()
  const server = await start<string, string>(t, {
    codec: words,
    async open(conn) {
      opened.open(conn)
      for await (const message of conn) {
        messages.push(message)
        await goes.passed
      }
    },
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connectTo(server.addresses[0])
  const conn = await opened.passed
  const next = wire(3)
  let sent = 0
  // Nobody pulls the pieces behind the first message before all of them are here.
  for (const piece of [wire(1), wire(2), next.subarray(0, 5)]) {
    socket.write(piece)
    sent += piece.length
    while (conn.bytesRead < sent) await turns(1)
    await turns(1)
  }
  goes.open()
  await turns(1)
  socket.end(next.subarray(5))
  t.is(await ended.passed, undefined)
  t.deepEqual(messages, ['a', 'aaa'])
  socket.destroy()
})
