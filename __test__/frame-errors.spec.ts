import test from 'ava'
import { type Codec, delimiter, fixed, lengthField, line, raw, varint } from 'millrace'
import { connectHalfOpen, readAll } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

type Bytes = Uint8Array | string

/** A stream, the messages in it, and how its connection ends. */
interface Stream {
  readonly codec: Codec<Buffer, Bytes>
  readonly sent: Bytes
  readonly messages: readonly string[]
  readonly code: string | undefined
  /** The client sends FIN. Without it, the error must come while the stream is open. */
  readonly fin?: true
  /** `decode` throws: the connection is destroyed, and queued replies are lost. */
  readonly drops?: true
}

const length = (value: number, body = '') => {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(value)
  return Buffer.concat([header, Buffer.from(body)])
}

const TOO_LARGE = 'ERR_FRAME_TOO_LARGE'
const INVALID = 'ERR_FRAME_INVALID'
const INCOMPLETE = 'ERR_FRAME_INCOMPLETE'

/** A raw codec with messages of two bytes, which leaves an odd byte unread. */
const pairs: Codec<Buffer, Bytes> = {
  ...raw({ max: 4 }),
  decode: (from) => (from.remaining < 2 ? undefined : from.bytes(2)),
}

const STREAMS: Record<string, Stream> = {
  'a length of 2 GiB': {
    codec: lengthField(),
    sent: length(2 ** 31),
    messages: [],
    code: TOO_LARGE,
  },
  'a length of 4 GiB - 1': {
    codec: lengthField(),
    sent: length(2 ** 32 - 1),
    messages: [],
    code: TOO_LARGE,
  },
  'a length one over max': {
    codec: lengthField({ max: 9 }),
    sent: length(10),
    messages: [],
    code: TOO_LARGE,
  },
  'a length of exactly max': {
    codec: lengthField({ max: 9 }),
    sent: length(9, '123456789'),
    messages: ['123456789'],
    code: undefined,
    fin: true,
  },
  'a length over 2^53': {
    codec: lengthField({ bytes: 8 }),
    sent: Buffer.alloc(8, 0xff),
    messages: [],
    code: INVALID,
  },
  'a length shorter than the header it includes': {
    codec: lengthField({ adjust: -4 }),
    sent: length(3),
    messages: [],
    code: INVALID,
  },
  'a varint of 2 GiB': {
    codec: varint(),
    sent: Buffer.from([0x80, 0x80, 0x80, 0x80, 0x08]),
    messages: [],
    code: TOO_LARGE,
  },
  'a varint that does not end': {
    codec: varint(),
    sent: Buffer.alloc(5, 0x80),
    messages: [],
    code: INVALID,
  },
  'a line one over max': {
    codec: line({ max: 5 }),
    sent: '12345\n123456\n',
    messages: ['12345'],
    code: TOO_LARGE,
  },
  'a line that does not end': {
    codec: line({ max: 5 }),
    sent: 'x'.repeat(9),
    messages: [],
    code: TOO_LARGE,
  },
  'lines with and without CR': {
    codec: line({ max: 5 }),
    sent: '12345\r\n\r\n\n\rab\n',
    messages: ['12345', '', '', '\rab'],
    code: undefined,
    fin: true,
  },
  'a frame over max without its delimiter': {
    codec: delimiter('END', { max: 5 }),
    sent: '12345END123456789',
    messages: ['12345'],
    code: TOO_LARGE,
  },
  'a line without LF before FIN': {
    codec: line(),
    sent: 'a\nb',
    messages: ['a'],
    code: INCOMPLETE,
    fin: true,
  },
  'half a delimiter before FIN': {
    codec: delimiter('END'),
    sent: 'aENDbEN',
    messages: ['a'],
    code: INCOMPLETE,
    fin: true,
  },
  'half a frame of fixed size before FIN': {
    codec: fixed(4),
    sent: 'aaaabb',
    messages: ['aaaa'],
    code: INCOMPLETE,
    fin: true,
  },
  'half a header before FIN': {
    codec: lengthField(),
    sent: Buffer.concat([length(1, 'a'), length(1).subarray(0, 3)]),
    messages: ['a'],
    code: INCOMPLETE,
    fin: true,
  },
  'half a body before FIN': {
    codec: lengthField(),
    sent: Buffer.concat([length(1, 'a'), length(5, 'bb')]),
    messages: ['a'],
    code: INCOMPLETE,
    fin: true,
  },
  'half a varint before FIN': {
    codec: varint(),
    sent: Buffer.from([0x80]),
    messages: [],
    code: INCOMPLETE,
    fin: true,
  },
  'unread bytes of a raw stream before FIN': {
    codec: pairs,
    sent: 'aabbc',
    messages: ['aa', 'bb'],
    code: INCOMPLETE,
    fin: true,
  },
  'more than max unread bytes of a raw stream': {
    codec: { ...raw({ max: 4 }), decode: () => undefined },
    sent: '12345',
    messages: [],
    code: TOO_LARGE,
    drops: true,
  },
  'exactly max unread bytes of a raw stream': {
    codec: {
      ...raw({ max: 4 }),
      decode: (from) => (from.remaining === 5 ? from.bytes(5) : undefined),
    },
    sent: '1234',
    messages: [],
    code: INCOMPLETE,
    fin: true,
  },
  'a message of a raw stream that reads no bytes': {
    codec: { ...raw(), decode: () => Buffer.from('x') },
    sent: 'a',
    messages: [],
    code: INVALID,
    drops: true,
  },
  'bytes left unread in a frame': {
    codec: { ...line(), decode: (from) => from.bytes(1) },
    sent: 'a\nbb\n',
    messages: ['a'],
    code: 'ERR_FRAME_NOT_CONSUMED',
    drops: true,
  },
  'bytes left unread in a dropped frame': {
    codec: { ...line(), decode: () => undefined },
    sent: '\nbb\n',
    messages: [],
    code: 'ERR_FRAME_NOT_CONSUMED',
    drops: true,
  },
  'a frame read past its end': {
    codec: { ...line(), decode: (from) => from.bytes(3) },
    sent: 'abc\nab\n',
    messages: ['abc'],
    code: INVALID,
    drops: true,
  },
  'a raw stream read past its end': {
    codec: { ...raw(), decode: (from) => from.bytes(3) },
    sent: 'abcde',
    messages: ['abc'],
    code: INVALID,
    drops: true,
  },
}

for (const [name, { codec, sent, messages, code, fin, drops }] of Object.entries(STREAMS)) {
  test(`${name}: the messages before it are answered, then the connection closes with ${code ?? 'no error'}`, async (t) => {
    const seen: string[] = []
    const ended = gate<Error | undefined>()
    const server = await start<Buffer, Bytes>(t, {
      codec,
      message(conn, message) {
        seen.push(message.toString())
        conn.write(message)
      },
      close: (_, error) => ended.open(error),
    })
    const socket = await connectHalfOpen(server.port)
    if (fin) socket.end(sent)
    else socket.write(sent)
    const error = await ended.passed
    t.is(codeOf(error), code)
    t.deepEqual(seen, messages)
    if (!drops) {
      const reply = await readAll(socket)
      for (const message of messages) t.true(reply.includes(message))
    }
    socket.destroy()
  })
}
