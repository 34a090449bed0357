import test from 'ava'
import { type Codec, json, line, raw, testCodec } from 'millrace'
import { connect } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { numbers } from './support/numbers.js'
import { start } from './support/serve.js'

/** Codecs, each with a valid or an invalid stream: `testCodec` and a connection must agree. */
const AGREE: Record<string, [codec: Codec<unknown, never>, stream: string]> = {
  'a raw codec': [numbers as Codec<unknown, never>, '1;22;333;'],
  'a raw stream that ends in half a message': [numbers as Codec<unknown, never>, '1;22;33'],
  'a raw message over max': [numbers as Codec<unknown, never>, `1;${'2'.repeat(30)}`],
  json: [json(line()), '1\n"two"\n[3]\n'],
  'invalid json': [json(line()), '1\n}\n3\n'],
  'a frame that is not consumed': [
    { ...line(), decode: (from) => from.u8(), encode() {} },
    'a\nbb\n',
  ],
  'a frame read past its end': [
    { ...line(), decode: (from) => from.text(2), encode() {} },
    'aa\nb\n',
  ],
  'a frame over max': [line({ max: 4 }) as Codec<unknown, never>, 'abcd\nabcde\n'],
  'half a frame': [line() as Codec<unknown, never>, 'abcd\nab'],
  'a message that reads no bytes': [{ ...raw(), decode: () => 1, encode() {} }, 'abc'],
  'a decode that returns a promise': [{ ...line(), decode: async () => 1, encode() {} }, 'abc\n'],
}

for (const [name, [codec, stream]] of Object.entries(AGREE)) {
  test(`testCodec agrees with a connection about ${name}, however the stream is cut`, async (t) => {
    const messages: unknown[] = []
    const ended = gate<Error | undefined>()
    const server = await start<unknown, never>(t, {
      codec,
      message: (_, message) => void messages.push(message),
      close: (_, error) => ended.open(error),
    })
    const socket = await connect(server.port)
    socket.end(stream)
    const code = codeOf(await ended.passed)
    for (const splits of [[], [2], 'each'] as const) {
      const tested = testCodec(codec, stream, { splits })
      t.deepEqual(tested.messages, messages)
      t.is(codeOf(tested.error), code)
    }
    socket.destroy()
  })
}
