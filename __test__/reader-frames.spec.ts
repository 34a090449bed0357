/** Readers of a part of a frame, which `from.frame(n)` returns. */

import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Codec, encodeWith, fixed, lengthField, type Reader, raw, testCodec } from 'millrace'
import { isUsersMistake } from '../lib/util/blame.js'
import { bound, peer } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

/** A codec whose message is what `read` makes of a body of `size` bytes. */
type MakeCodec = <T>(size: number, read: (from: Reader) => T) => Codec<T, never>

const CODECS: Readonly<Record<string, MakeCodec>> = {
  fixed: (size, read) => ({ ...fixed(size), decode: read, encode() {} }),
  length: (_, read) => ({ ...lengthField({ bytes: 1 }), decode: read, encode() {} }),
  raw: (size, read) => ({
    ...raw(),
    decode: (from) => (from.remaining < size ? undefined : read(from)),
    encode() {},
  }),
}

/** What is sent of a body. */
function wire(kind: string, body: Buffer): Buffer {
  return kind === 'length' ? Buffer.concat([Buffer.of(body.length), body]) : body
}

/** Decodes bodies on a connection that pushes or pulls, and without one. All have to agree. */
async function decodeAll<T>(
  t: ExecutionContext,
  kind: string,
  body: Buffer,
  read: (from: Reader) => T,
  count: number = 2,
): Promise<{ messages: T[]; error: Error | undefined }> {
  const codec = (CODECS[kind] as MakeCodec)(body.length, read)
  const stream = Buffer.concat(Array.from({ length: count }, () => wire(kind, body)))
  const tested = testCodec(codec, stream, { splits: 'each' })
  for (const isPulled of [false, true]) {
    const messages: T[] = []
    const ended = gate<Error | undefined>()
    const server = await start<T, never>(t, {
      codec,
      ...(isPulled ? {} : { message: (_: unknown, message: T) => void messages.push(message) }),
      async open(conn) {
        if (isPulled) for await (const message of conn) messages.push(message)
      },
      close: (_, error) => ended.open(error),
    })
    const socket = net.connect(server.port).on('error', () => {})
    socket.end(stream)
    const error = await ended.passed
    t.deepEqual(messages, tested.messages)
    t.is(codeOf(error), codeOf(tested.error))
    t.is(error?.message, tested.error?.message)
    socket.destroy()
  }
  return tested
}

/** Expects that this is refused in each framing, and whose mistake it is. */
async function refused(
  t: ExecutionContext,
  read: (from: Reader) => unknown,
  isUsers: boolean,
): Promise<void> {
  for (const kind of Object.keys(CODECS)) {
    const all = (from: Reader) => {
      read(from)
      from.skip(from.remaining)
      return true
    }
    const { messages, error } = await decodeAll(t, kind, Buffer.from('abcdef'), all, 1)
    t.deepEqual(messages, [])
    t.is(codeOf(error), 'ERR_FRAME_INVALID', `${kind}: ${read}`)
    t.is(isUsersMistake(error as Error), isUsers, `${kind}: ${read}`)
  }
}

for (const kind of Object.keys(CODECS)) {
  test(`frame reads a part of a body, and the outer reader goes on behind it, with ${kind}`, async (t) => {
    const { messages, error } = await decodeAll(t, kind, Buffer.from('abcdefgh'), (from) => {
      const before = from.u8()
      const { remaining } = from
      const inner = from.frame(4)
      const taken = remaining - from.remaining
      const behind = from.text(3)
      return {
        before,
        taken,
        behind,
        size: inner.remaining,
        found: [inner.indexOf(0x65), inner.indexOf(0x66), inner.indexOf(Buffer.from('ef'))],
        starts: [inner.startsWith(Buffer.from('bcde')), inner.startsWith(Buffer.from('bcdef'))],
        first: inner.peek(),
        bytes: inner.bytes(1).toString() + inner.copy(1).toString(),
        rest: inner.text(inner.remaining),
        over: inner.remaining,
      }
    })
    const message = {
      before: 0x61,
      taken: 4,
      behind: 'fgh',
      size: 4,
      found: [3, -1, -1],
      starts: [true, false],
      first: 0x62,
      bytes: 'bc',
      rest: 'de',
      over: 0,
    }
    t.deepEqual(messages, [message, message])
    t.is(error, undefined)
  })

  test(`frames are nested and read side by side, and may be left unread, with ${kind}`, async (t) => {
    const { messages, error } = await decodeAll(t, kind, Buffer.from('abcdefghij'), (from) => {
      const [first, second, empty] = [from.frame(4), from.frame(6), from.frame(0)]
      const nested = first.frame(3)
      const deep = nested.frame(2)
      return [
        second.text(1),
        deep.text(1),
        first.text(1),
        nested.text(1),
        deep.text(1),
        second.text(2),
        deep.remaining + nested.remaining + first.remaining + empty.remaining,
        second.remaining,
      ]
    })
    const message = ['e', 'a', 'd', 'c', 'b', 'fg', 0, 3]
    t.deepEqual(messages, [message, message])
    t.is(error, undefined)
  })
}

test('reading past the end of an inner frame is the fault of the peer', async (t) => {
  for (const read of [
    (from: Reader) => from.frame(3).u32(),
    (from: Reader) => from.frame(3).bytes(4),
    (from: Reader) => from.frame(3).copy(4),
    (from: Reader) => from.frame(3).text(4),
    (from: Reader) => from.frame(3).skip(4),
    (from: Reader) => from.frame(3).peek(3),
    (from: Reader) => from.frame(3).skip(-1),
    (from: Reader) => from.frame(3).frame(4),
    (from: Reader) => from.frame(4).frame(3).u32(),
    (from: Reader) => from.frame(0).u8(),
  ])
    await refused(t, read, false)
})

test('a frame longer than what is there is refused as bytes is, and nothing is read', async (t) => {
  for (const n of [7, -1, 2 ** 32]) {
    await refused(t, (from) => from.frame(n), true)
    for (const name of ['bytes', 'frame'] as const) {
      const codec = { ...fixed(6), decode: (from: Reader) => attempt(from, () => from[name](n)) }
      t.deepEqual(testCodec(codec, 'abcdef').messages as unknown[], ['ERR_FRAME_INVALID 6'])
    }
  }
  for (const n of [1.5, Number.NaN, '1' as unknown as number]) {
    const [asBytes, asFrame] = (['bytes', 'frame'] as const).map(
      (name) =>
        testCodec({ ...fixed(6), decode: (from: Reader) => from[name](n) as Buffer }, 'abcdef')
          .error,
    )
    t.is(asFrame?.message, asBytes?.message)
    t.is(asFrame?.constructor, asBytes?.constructor)
  }
})

/** What a use of a reader threw, and how much it left. */
function attempt(from: Reader, use: () => unknown): Buffer {
  let code: string | undefined
  try {
    use()
  } catch (error) {
    code = codeOf(error)
  }
  const left = from.remaining
  from.skip(left)
  return `${code} ${left}` as unknown as Buffer
}

test('a frame that was read from an incomplete message is unread again', async (t) => {
  const codec: Codec<string, never> = {
    ...raw(),
    decode(from) {
      if (from.remaining < 2) return undefined
      const head = from.frame(2).text(2)
      return from.remaining < 2 ? undefined : head + from.frame(2).text(2)
    },
    encode() {},
  }
  const { messages, error } = testCodec(codec, 'abcdefgh', { splits: 'each' })
  t.deepEqual(messages, ['abcd', 'efgh'])
  t.is(error, undefined)
})

test('an inner reader kept after decode throws ERR_READER_STALE', async (t) => {
  for (const kind of Object.keys(CODECS)) {
    const codes: (string | undefined)[] = []
    const done = gate()
    // More than are kept for the next message.
    const body = Buffer.alloc(40, 'x')
    const codec = (CODECS[kind] as MakeCodec)(body.length, (from) => {
      const outer = Array.from({ length: 40 }, () => from.frame(1))
      return [...outer, ...outer.map((frame) => frame.frame(0))]
    })
    const server = await start<Reader[], never>(t, {
      codec,
      message(_, frames) {
        for (const frame of frames)
          for (const use of [() => frame.u8(), () => frame.remaining, () => frame.frame(0)]) {
            try {
              codes.push(String(use()))
            } catch (error) {
              codes.push(codeOf(error))
            }
          }
        if (codes.length === 480) done.open()
      },
    })
    const socket = net.connect(server.port).on('error', () => {})
    socket.write(Buffer.concat([wire(kind, body), wire(kind, body)]))
    await done.passed
    t.deepEqual(new Set(codes), new Set(['ERR_READER_STALE']), kind)
    socket.destroy()
  }
})

test('a Writer copies from an inner reader', (t) => {
  const source: Codec<Buffer, never> = {
    ...fixed(6),
    decode(from) {
      const inner = from.frame(4)
      from.skip(2)
      return encodeWith({ ...fixed(3), encode: (_, to) => void to.copy(inner, 3) }, 'any')
    },
    encode() {},
  }
  t.deepEqual(testCodec(source, 'abcdef').messages.map(String), ['abc'])
})

test('the frames of a datagram end where they end', async (t) => {
  const errors = gate<Error>()
  const arrived = gate<string>()
  const socket = await bound<string, never>(t, {
    codec: {
      ...raw(),
      decode(from) {
        const text = from.frame(from.u8()).text(3)
        from.skip(from.remaining)
        return text
      },
      encode() {},
    },
    message: (_, text) => arrived.open(text),
    error: (error) => errors.open(error),
  })
  const other = await peer(t)
  other.send('\x02abcd', socket.port)
  t.is(codeOf(await errors.passed), 'ERR_FRAME_INVALID')
  other.send('\x03abcd', socket.port)
  t.is(await arrived.passed, 'abc')
})

for (const isPulled of [false, true]) {
  test(`frames in frames, as deep as a peer likes, end no other connection (${isPulled ? 'pulled' : 'pushed'})`, async (t) => {
    const depths: number[] = []
    const all = gate()
    /** A message is how many frames are in each other. */
    const codec: Codec<number, never> = {
      ...lengthField({ bytes: 4, max: 1 << 20 }),
      decode(from) {
        let depth = 0
        for (let inner = from; inner.remaining > 0; depth++) {
          inner.u8()
          inner = inner.frame(inner.remaining)
        }
        return depth
      },
      encode() {},
    }
    const take = (depth: number) => {
      depths.push(depth)
      if (depths.length === 3) all.open()
    }
    const server = await start<number, never>(t, {
      loops: ONE,
      codec,
      ...(isPulled
        ? {
            async open(conn) {
              for await (const depth of conn) take(depth)
            },
          }
        : { message: (_conn: unknown, depth: number) => take(depth) }),
    })
    const send = async (depth: number) => {
      const socket = net.connect(server.port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      const header = Buffer.alloc(4)
      header.writeUInt32BE(depth)
      socket.write(Buffer.concat([header, Buffer.alloc(depth)]))
      const count = depths.length
      while (depths.length === count) await turns(1)
    }
    for (const depth of [3, 100_000, 7]) await send(depth)
    await all.passed
    t.deepEqual(depths, [3, 100_000, 7])
  })
}
